"""Figures as a table for people and as JSON for programs."""
import json
import sys


class Report:
    """Tables, the budgets that were held or missed, and what was left out for want of a program."""

    def __init__(self, machine):
        self.machine, self.tables, self.budgets, self.left_out = machine, {}, [], []

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def skip(self, what, program):
        """A section that is left out, because a program is missing."""
        self.left_out.append({"section": what, "missing": program})
        self.say("LEFT OUT: %s, because %s is not installed" % (what, program))

    def row(self, table, **figures):
        """One line of a table; its columns are the figures of its first row."""
        self.tables.setdefault(table, []).append(figures)
        self.say("  " + "  ".join("%s=%s" % (key, _text(value)) for key, value in figures.items()))

    def budget(self, what, value, limit, unit, least=False):
        """A figure that has a limit: at most, or at least."""
        held = value >= limit if least else value <= limit
        self.budgets.append({"what": what, "value": value, "limit": limit, "unit": unit, "least": least, "held": held})

    def show(self):
        out = ["Machine"]
        out += ["  %-14s %s" % (key, _text(value)) for key, value in self.machine.items()]
        for title, rows in self.tables.items():
            columns = list(rows[0])
            cells = [[_text(row.get(column)) for column in columns] for row in rows]
            widths = [max(len(line[at]) for line in cells + [columns]) for at in range(len(columns))]
            out += ["", title, "  " + "  ".join(name.ljust(width) for name, width in zip(columns, widths))]
            out += ["  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths)) for line in cells]
        if self.budgets:
            out += ["", "Budgets"]
        for entry in self.budgets:
            out.append("  %-6s %s: %s %s (%s %s)" % (
                "ok" if entry["held"] else "MISSED", entry["what"], _text(entry["value"]), entry["unit"],
                "at least" if entry["least"] else "at most", _text(entry["limit"])))
        out += ["LEFT OUT: %(section)s, because %(missing)s is not installed" % entry for entry in self.left_out]
        print("\n".join(out))

    def write(self, path):
        with open(path, "w") as file:
            json.dump({"machine": self.machine, "tables": self.tables, "budgets": self.budgets,
                       "left_out": self.left_out}, file, indent=1)
            file.write("\n")


def _text(value):
    if value is None:
        return "-"
    if isinstance(value, float):
        return "%.0f" % value if abs(value) >= 100 else "%.1f" % value if abs(value) >= 10 else "%.2f" % value
    return str(value)
