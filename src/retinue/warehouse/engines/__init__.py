"""The engines that there are; `warehouse.engine` says what they have in common."""
