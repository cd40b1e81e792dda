"""`deeptheory theory`: the formulas of the theory and their values."""

import click

from deeptheory.cli.options import JSON, load_plugins, print_summary


@click.command()
@click.argument("name")
@click.argument("values", nargs=-1, metavar="[PARAMETER=NUMBER]...")
@JSON
def theory(name: str, values: tuple[str, ...], as_json: bool) -> None:
    """Evaluate a formula of the theory; NAME list shows them all.

    Several numbers with commas between them give a row for every combination; where the list shows =a,b,... or
    =row,row,... they are one list or one square matrix, row by row.

    \b
    Examples:
      deeptheory theory list
      deeptheory theory annealed-capacity kept=0.1,0.5
      deeptheory theory I2 covariance=1,0.3,0.3,1
    """
    load_plugins()
    from deeptheory.theory.formula_summaries import formula_list, formula_values

    print_summary(formula_list() if name == "list" and not values else formula_values(name, values), as_json)
