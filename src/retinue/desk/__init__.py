"""What people at their desk read and do: one module per page, one dataclass each, for any surface."""
