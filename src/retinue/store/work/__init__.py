"""What people say and do about accounts, what is raised, and what is on its way to them."""
