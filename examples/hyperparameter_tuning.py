"""Hyper-parameter tuning: a grid of models as one array job, the best one read from its frame.

`python examples/hyperparameter_tuning.py` cross-validates ridge regressions with random features on
Gapminder's countries. A mapping of names to lists is a grid: every combination is one item, and
`frame()` puts the parameters beside what each item returned. The data are sent once, not per item.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.data

import nbbatch as nb

FOLDS = 5


def features(incomes: np.ndarray, years: np.ndarray, width: float, count: int) -> np.ndarray:
    """Random Fourier features of income and year: the larger `width`, the wigglier the model."""
    rng = np.random.default_rng(0)
    inputs = np.column_stack([np.log2(incomes) - 12, (years - 1980) / 20])
    return np.cos(inputs @ rng.normal(scale=width, size=(2, count)) + rng.uniform(0, 2 * np.pi, count))


def cross_validate(world: pd.DataFrame, *, width: float, count: int, ridge: float) -> dict[str, float]:
    """Mean absolute error, in years of life, over countries that the model has not seen."""
    design = features(world["gdpPercap"].to_numpy(), world["year"].to_numpy(), width, count)
    target = world["lifeExp"].to_numpy()
    fold = pd.factorize(world["country"])[0] % FOLDS
    misses = []
    for hidden in range(FOLDS):
        train, test = design[fold != hidden], design[fold == hidden]
        gram = train.T @ train + ridge * np.eye(count)
        weights = np.linalg.solve(gram, train.T @ (target[fold != hidden] - target.mean()))
        misses.append(np.abs(test @ weights + target.mean() - target[fold == hidden]).mean())
    return {"years": float(np.mean(misses)), "spread": float(np.std(misses))}


def main() -> None:
    """Tune, and say which combination is best."""
    world = plotly.data.gapminder()
    grid = {"width": [0.3, 1.0, 3.0], "count": [20, 80], "ridge": [0.01, 1.0, 100.0]}
    runs = nb.map(lambda **chosen: cross_validate(world, **chosen), grid, name="tuning", memory="512M")
    runs.results()
    table = runs.frame().sort_values("years")
    print(table[["width", "count", "ridge", "years", "spread"]].head(5).round(2).to_string(index=False))
    best = table.iloc[0]
    said = f"width {best['width']:g}, {best['count']:g} features, ridge {best['ridge']:g}"
    print(f"Best: {said}; off by {best['years']:.1f} years.")


if __name__ == "__main__":
    main()
