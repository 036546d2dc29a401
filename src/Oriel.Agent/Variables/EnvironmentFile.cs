using System.Text;
using Oriel.Protocol;

namespace Oriel.Agent.Variables;

/// <summary>
/// /etc/environment as pam_env reads it with readenv=1: a line NAME=value, an optional leading "export ", # comments, one pair of quotes
/// around the value, no escapes and no expansion.
/// </summary>
internal static class EnvironmentFile
{
    private const int MaxBytes = 1024 * 1024;

    /// <summary>The variables of the file, in its order; a later line wins. Empty when there is no file.</summary>
    /// <exception cref="IOException">It is larger than 1 MiB.</exception>
    public static IReadOnlyList<KeyValuePair<string, string>> Read(string path)
    {
        if (!File.Exists(path))
        {
            return [];
        }

        return new FileInfo(path).Length <= MaxBytes
            ? Parse(File.ReadAllText(path))
            : throw new IOException($"{path} is larger than {MaxBytes} bytes.");
    }

    public static IReadOnlyList<KeyValuePair<string, string>> Parse(string text)
    {
        OrderedDictionary<string, string> variables = new(StringComparer.Ordinal);
        foreach (var line in text.Split('\n'))
        {
            if (ParseLine(line) is { } variable)
            {
                variables[variable.Name] = variable.Value;
            }
        }

        return [.. variables];
    }

    /// <summary>The text of a file in which these variables are set, other lines as they are.</summary>
    public static string Merge(string text, IReadOnlyDictionary<string, string> variables)
    {
        var merged = new StringBuilder();
        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (ParseLine(line) is not { } variable || !variables.ContainsKey(variable.Name))
            {
                merged.Append(line).Append('\n');
            }
        }

        foreach (var (name, value) in variables)
        {
            // Quoted always: the outer pair is taken off, so that quotes and spaces of the value itself survive.
            merged.Append(name).Append("=\"").Append(value).Append("\"\n");
        }

        return merged.ToString();
    }

    /// <summary>The same for a POSIX shell.</summary>
    public static string ShellScript(IReadOnlyDictionary<string, string> variables)
    {
        var script = new StringBuilder("# Set when this desktop was configured.\n");
        foreach (var (name, value) in variables)
        {
            script.Append("export ").Append(name).Append("='").Append(value.Replace("'", "'\\''", StringComparison.Ordinal)).Append("'\n");
        }

        return script.ToString();
    }

    private static (string Name, string Value)? ParseLine(string line)
    {
        line = line.Trim();
        if (line.StartsWith("export ", StringComparison.Ordinal) || line.StartsWith("export\t", StringComparison.Ordinal))
        {
            line = line["export ".Length..].TrimStart();
        }

        var equals = line.IndexOf('=');
        if (equals <= 0 || line[0] == '#' || !GuestRules.IsVariableName(line[..equals]))
        {
            return null;
        }

        var value = line[(equals + 1)..];
        if (value is ['"' or '\'', ..])
        {
            value = value[1..];
            value = value is [.., '"' or '\''] ? value[..^1] : value;
        }

        return (line[..equals], value);
    }
}
