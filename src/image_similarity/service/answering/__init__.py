"""The served models: held open, kept up to date, and replaced while requests go on."""
