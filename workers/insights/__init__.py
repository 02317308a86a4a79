"""What is likely next. Needs `requirements/ml.txt`; nothing that starts with the product imports it."""
