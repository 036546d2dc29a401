namespace Oriel.Tests.Structure;

/// <summary>
/// The checkout that these tests look at: ORIEL_TEST_SOURCE, else the folder above the test program that holds oriel.slnx.
/// </summary>
internal static class SourceTree
{
    public static string Root { get; } = Find();

    /// <summary>C# files of src, or others, without what builds write; paths relative to the root.</summary>
    public static IEnumerable<string> Sources(string folder = "src", string pattern = "*.cs") =>
        Directory
            .EnumerateFiles(Path.Combine(Root, folder), pattern, SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(Root, path))
            .Where(path => !path.Split('/').Any(part => part is "bin" or "obj"));

    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    private static string Find()
    {
        if (Environment.GetEnvironmentVariable("ORIEL_TEST_SOURCE") is { Length: > 0 } given)
        {
            return given;
        }

        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "oriel.slnx")))
            {
                return folder;
            }
        }

        throw new InvalidOperationException($"No checkout above {AppContext.BaseDirectory}: set ORIEL_TEST_SOURCE.");
    }
}
