using System.Globalization;

namespace Oriel.Server.Commands.Doctor;

/// <summary>Ranges of ids in /etc/subuid and /etc/subgid. (Source: subuid(5): name or number of a user, first id, count.)</summary>
internal static class SubordinateIds
{
    /// <summary>What a desktop's guest needs: ids 0 to 65535.</summary>
    public const long Needed = 65536;

    /// <summary>Where ./oriel begins, above what useradd gives out on Debian first.</summary>
    private const long Least = 200_000;

    /// <returns>The command that gives the user ids which nobody else has, where a file gives none.</returns>
    public static string Command(string user, string? userNumber, string etc = "/etc")
    {
        string[] uids = Read(etc, "subuid");
        string[] gids = Read(etc, "subgid");
        var first = uids.Concat(gids).Select(EndOf).Append(Least).Max();
        var range = string.Create(CultureInfo.InvariantCulture, $"{first}-{first + Needed - 1}");
        var (hasUids, hasGids) = (Has(uids, user, userNumber), Has(gids, user, userNumber));
        var wanted =
            hasUids == hasGids ? $"--add-subuids {range} --add-subgids {range}"
            : hasUids ? $"--add-subgids {range}"
            : $"--add-subuids {range}";
        return $"sudo usermod {wanted} {user}";
    }

    /// <summary>Whether both files name the user.</summary>
    public static bool Has(string user, string? userNumber, string etc = "/etc") =>
        Has(Read(etc, "subuid"), user, userNumber) && Has(Read(etc, "subgid"), user, userNumber);

    private static bool Has(string[] lines, string user, string? userNumber) =>
        lines.Any(line => line.Split(':')[0] is var name && (name == user || name == userNumber));

    private static string[] Read(string etc, string name) =>
        Path.Combine(etc, name) is var path && File.Exists(path) ? File.ReadAllLines(path) : [];

    /// <summary>The first id behind the line's range.</summary>
    private static long EndOf(string line) =>
        line.Split(':') is [_, var first, var count]
        && long.TryParse(first, CultureInfo.InvariantCulture, out var from)
        && long.TryParse(count, CultureInfo.InvariantCulture, out var many)
            ? from + many
            : 0;
}
