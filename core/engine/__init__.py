"""Integrator: graded mesh, Rosenbrock step with a generated Jacobian, closed-form pharmacokinetics."""
