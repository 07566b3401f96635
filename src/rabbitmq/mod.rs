//! What the RabbitMQ source and the relay share: connections, names, and what errors mean. Knows no feed and no push.

pub mod connect;
