"""Lambda: functions in processes of their own, and what invokes them."""
