"""What calls with a quota pass, of whichever service: their turn, the circuit breaker, and patience with throttling."""
