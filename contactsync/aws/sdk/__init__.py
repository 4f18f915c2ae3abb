"""How AWS is called: clients, settings of the SDK, and what its errors mean."""
