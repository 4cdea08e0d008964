//! The paper under both plots: SVG text, in colours that can be read on a light and on a dark background.

/// Text and axes: a grey that is far enough from white and from black.
pub(crate) const INK: &str = "#7d8590";
/// Series, in the order in which a panel uses them; told apart by lightness as well as by hue.
pub(crate) const COLOURS: [&str; 4] = ["#2f81f7", "#e3871a", "#2da44e", "#bf5af2"];

/// A drawing that grows by elements.
pub(crate) struct Drawing {
    elements: String,
    width: f64,
    height: f64,
}

/// Where a text is anchored.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Anchor {
    /// It begins at the point.
    Start,
    /// Its middle is at the point.
    Middle,
    /// It ends at the point.
    End,
}

impl Drawing {
    /// An empty one of so many pixels.
    pub(crate) fn new(width: f64, height: f64) -> Self {
        Self { elements: String::new(), width, height }
    }

    /// A filled rectangle with a tooltip.
    pub(crate) fn bar(
        &mut self,
        corner: (f64, f64),
        size: (f64, f64),
        colour: &str,
        tooltip: &str,
    ) {
        self.elements += &format!(
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{colour}\"><title>{}</title></rect>\n",
            corner.0,
            corner.1,
            size.0.max(0.5),
            size.1,
            escape(tooltip)
        );
    }

    /// A text of 12 pixels, or of 14 in bold for a title.
    pub(crate) fn text(&mut self, at: (f64, f64), anchor: Anchor, text: &str) {
        self.write(at, anchor, "", text);
    }

    /// A title.
    pub(crate) fn title(&mut self, at: (f64, f64), text: &str) {
        self.write(at, Anchor::Start, " font-size=\"14\" font-weight=\"bold\"", text);
    }

    fn write(&mut self, at: (f64, f64), anchor: Anchor, style: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        self.elements += &format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\"{style}>{}</text>\n",
            at.0,
            at.1,
            escape(text)
        );
    }

    /// A thin grey line.
    pub(crate) fn rule(&mut self, from: (f64, f64), to: (f64, f64)) {
        self.elements += &format!(
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{INK}\" stroke-opacity=\"0.4\"/>\n",
            from.0, from.1, to.0, to.1
        );
    }

    /// A coloured line through points, each of them marked.
    pub(crate) fn path(&mut self, points: &[(f64, f64)], colour: &str) {
        let list: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.elements += &format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n",
            list.join(" ")
        );
        for (x, y) in points {
            self.elements +=
                &format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>\n");
        }
    }

    /// A row of coloured squares with their names.
    pub(crate) fn legend(&mut self, at: (f64, f64), names: &[&str]) {
        let mut x = at.0;
        for (name, colour) in names.iter().zip(COLOURS) {
            self.bar((x, at.1 - 10.0), (11.0, 11.0), colour, name);
            self.text((x + 16.0, at.1), Anchor::Start, name);
            x += 36.0 + 7.0 * name.chars().count() as f64;
        }
    }

    /// The finished file.
    pub(crate) fn finish(self) -> String {
        let Self { elements, width, height } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
             font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"{INK}\">\n{elements}</svg>\n"
        )
    }
}

/// The smallest of 1, 2 and 5 times a power of ten that is no less than `value`: where an axis ends.
pub(crate) fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1e-9).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|end| *end >= value)
        .unwrap_or(value)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
