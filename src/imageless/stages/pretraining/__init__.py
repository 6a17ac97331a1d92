"""What `imageless pretrain` can have a tower learn: the jobs it hands to the loop."""
