"""What the site makes from the code: the reference of the rooms, the options, the gallery, the navigation."""
