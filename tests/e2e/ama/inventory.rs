//! Rows of the inventory.
