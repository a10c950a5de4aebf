"""From a score to action: pure decisions over snapshots. Nothing here reads, writes, or asks the clock."""
