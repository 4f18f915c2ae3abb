"""What SQS is used for beside queues of messages: dead letters, delayed calls, and who may send."""
