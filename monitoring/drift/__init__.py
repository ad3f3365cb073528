"""How far inputs and answers have moved from what a version was fitted on."""
