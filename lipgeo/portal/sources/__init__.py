"""Take in what reaches a portal: deliveries, estimates, profiles, workbooks, local data."""
