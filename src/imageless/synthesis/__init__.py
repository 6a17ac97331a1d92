"""What it takes to have captions written: keywords to ask for, prompts, those who write, and filters for what they wrote."""
