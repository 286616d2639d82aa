"""What a calibration and its validation come to: the tables a report is made of, their scores, and the criteria."""
