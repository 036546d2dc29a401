namespace Oriel.Desktops.Registry;

/// <summary>The time zones of an image. The host may know others: Debian has moved the old names to a package of their own.</summary>
internal static class ImageZones
{
    private const string Database = "usr/share/zoneinfo";

    /// <param name="zone">A name as the IANA database has it, without "..".</param>
    /// <returns>True also where the tree has no database: the guest says then what it lacks.</returns>
    public static bool Has(string tree, string zone)
    {
        var database = Path.Combine(tree, Database);
        // A link may lead into the tree's own root: what counts is that it stands there.
        var file = new FileInfo(Path.Combine(database, zone));
        return !Directory.Exists(database) || file.Exists || file.LinkTarget is not null;
    }
}
