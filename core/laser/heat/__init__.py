"""Heat in laser-treated skin: tissue properties, columns, vessels and glands, axisymmetric sources, ablation.

Units throughout: mm, s, degrees Celsius; conductivity W/m/K, heat capacity J/cm3/K, surface conductance kW/m2/K,
absorbed heat J/mm3 for each J/cm2 of fluence. With lengths in mm these fit without factors: k/mm is in kW/m2/K, as is
c mm/s.
"""
