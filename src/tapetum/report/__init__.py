"""What a person looks at: tables, figures, ranked strips, the page."""
