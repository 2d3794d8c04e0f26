"""From a catalogue to features, an index and recommendations."""
