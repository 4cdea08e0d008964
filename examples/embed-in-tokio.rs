//! A node in a program of tokio's: its workers run on threads of its own.
use ockam::{Echoer, NodeBuilder, Result};

#[tokio::main]
async fn main() -> Result<()> {
    let node = NodeBuilder::new().start().await?;
    Echoer::start(&node, "echoer")?;
    let asking = node.clone();
    // Questions are asked from any task, on any of tokio's threads.
    let task =
        tokio::spawn(async move { asking.ask("echoer", "hello".to_owned()).reply_as().await });
    let answer: String = task.await.expect("the task does not panic")?;
    println!("the echoer says: {answer}");
    node.stop().await;
    Ok(())
}
