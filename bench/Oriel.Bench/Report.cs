using Spectre.Console;

namespace Oriel.Bench;

/// <summary>One table: its columns, its rows, and what is to be said of it in a sentence.</summary>
internal sealed record Report(string[] Columns, List<string[]> Rows, string Note = "")
{
    public Table ToTable()
    {
        var table = new Table();
        table.AddColumns([.. Columns.Select(Markup.Escape)]);
        foreach (var row in Rows)
        {
            table.AddRow([.. row.Select(Markup.Escape)]);
        }

        return table;
    }

    public IEnumerable<string> ToMarkdown(string title)
    {
        yield return $"## {title}";
        yield return "";
        yield return "| " + string.Join(" | ", Columns) + " |";
        yield return "|" + string.Concat(Columns.Select(_ => "---|"));
        foreach (var row in Rows)
        {
            yield return "| " + string.Join(" | ", row) + " |";
        }

        yield return "";
        if (Note.Length > 0)
        {
            yield return Note;
            yield return "";
        }
    }
}
