"""The practice world: systems on loopback that speak the real protocols, remember everything and misbehave on demand."""
