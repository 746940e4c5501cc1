"""RabbitMQ, and other AMQP 0-9-1 servers, as a broker for kernel."""
