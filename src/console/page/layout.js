// The order of the picture's boxes, in which few lines cross and none is hidden by a box.

// Takes the boxes of each column, and edges from a column to a later one. Returns the columns with
// gaps where an edge passes, and for each edge the gaps that it goes through.
export function arrange(columns, edges) {
  const arranged = columns.map((boxes) => [...boxes]);
  const columnOf = new Map(columns.flatMap((boxes, at) => boxes.map(({ id }) => [id, at])));
  // What is to the left of each place.
  const before = new Map();
  const lead = (from, to) => before.set(to, [...(before.get(to) ?? []), from]);
  const routes = edges.map((edge) => {
    const gaps = [];
    for (let at = columnOf.get(edge.from) + 1; at < columnOf.get(edge.to); at++) {
      const id = `gap/${at}/${edge.from} ${edge.to}`;
      arranged[at].push({ id, gap: true });
      lead(gaps[gaps.length - 1] ?? edge.from, id);
      gaps.push(id);
    }
    lead(gaps[gaps.length - 1] ?? edge.from, edge.to);
    return { ...edge, gaps };
  });
  // Each column in the order of the middle of what is to the left.
  const heights = new Map();
  arranged.forEach((boxes) => {
    const height = ({ id }, index) => {
      const known = (before.get(id) ?? []).flatMap((one) => heights.get(one) ?? []);
      const own = (index + 0.5) / boxes.length;
      return known.length > 0 ? known.reduce((sum, one) => sum + one, 0) / known.length : own;
    };
    const wanted = new Map(boxes.map((box, index) => [box, height(box, index)]));
    boxes.sort((one, other) => wanted.get(one) - wanted.get(other));
    boxes.forEach(({ id }, index) => heights.set(id, (index + 0.5) / boxes.length));
  });
  return { arranged, routes };
}
