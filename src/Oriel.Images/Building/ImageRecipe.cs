using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Oriel.Images.Disks;
using Oriel.Images.Store;

namespace Oriel.Images.Building;

/// <summary>The file <c>image.json</c> of a recipe.</summary>
/// <param name="Mirrors">Lines of sources.list.</param>
/// <param name="Exclude">Paths that dpkg does not unpack, with its wildcards.</param>
/// <param name="Include">Exceptions from <paramref name="Exclude"/>.</param>
/// <param name="Kernel">The Debian package of the kernel that virtual machines start; null: the image is for containers only.</param>
internal sealed record ImageRecipeFile(
    string Name,
    string Suite,
    IReadOnlyList<string> Mirrors,
    IReadOnlyList<string>? Exclude,
    IReadOnlyList<string>? Include,
    string? Kernel = null
);

/// <summary>
/// A folder that says how an image is made: <c>image.json</c>, <c>packages.txt</c> (Debian packages, one a line), <c>files/</c> (laid over
/// the tree) and <c>customise</c> (runs inside it at the end).
/// </summary>
public sealed class ImageRecipe
{
    /// <summary>Changed when the builder would make something else of the same recipe.</summary>
    private const string BuilderVersion = "oriel-image-1";
    private const int MaxRecipeFileBytes = 1024 * 1024;

    private ImageRecipe(string path, ImageRecipeFile file, IReadOnlyList<string> packages, string hash)
    {
        Path = path;
        File = file;
        Packages = packages;
        Hash = hash;
        var basis = string.Join(
            '\n',
            [BuilderVersion, file.Suite, .. file.Mirrors, .. file.Exclude ?? [], "+", .. file.Include ?? [], "+", .. packages]
        );
        BaseHash = Short(basis);
        KernelHash = file.Kernel is { } kernel ? Short(string.Join('\n', [file.Suite, .. file.Mirrors, "+", kernel])) : null;
    }

    public string Path { get; }

    public string Name => File.Name;

    public string Suite => File.Suite;

    /// <summary>Over the whole folder: names, executable bits and content.</summary>
    public string Hash { get; }

    internal ImageRecipeFile File { get; }

    internal IReadOnlyList<string> Packages { get; }

    /// <summary>Over what decides the Debian base alone, so that other files or another agent do not cost a new one.</summary>
    internal string BaseHash { get; }

    /// <summary>Over what decides which kernel is fetched; null without one.</summary>
    internal string? KernelHash { get; }

    /// <exception cref="ImageRecipeException">The folder is not a recipe; the message says what is wrong.</exception>
    public static ImageRecipe Load(string path)
    {
        path = System.IO.Path.GetFullPath(path);
        var json = System.IO.Path.Combine(path, "image.json");
        var list = System.IO.Path.Combine(path, "packages.txt");
        if (!System.IO.File.Exists(json) || !System.IO.File.Exists(list))
        {
            throw new ImageRecipeException($"{path} is not an image recipe: it has no image.json or no packages.txt.");
        }

        ImageRecipeFile? file;
        try
        {
            file = JsonSerializer.Deserialize(ReadBounded(json), RecipeJsonContext.Default.ImageRecipeFile);
        }
        catch (JsonException e)
        {
            throw new ImageRecipeException($"{json}: {e.Message}");
        }

        if (file is not { Name.Length: > 0, Suite.Length: > 0, Mirrors.Count: > 0 })
        {
            throw new ImageRecipeException($"{json} must give name, suite and mirrors.");
        }

        RequireWord(json, file.Name);
        RequireWord(json, file.Suite);
        if (file.Kernel is { } kernel)
        {
            RequireWord(json, kernel);
        }

        var packages = new List<string>();
        foreach (var line in Encoding.UTF8.GetString(ReadBounded(list)).Split('\n', StringSplitOptions.TrimEntries))
        {
            if (line.Length > 0 && line[0] != '#')
            {
                RequireWord(list, line);
                packages.Add(line);
            }
        }

        return new ImageRecipe(path, file, packages, HashOf(path));
    }

    private static string Short(string basis) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(basis)))[..32];

    private static string HashOf(string path)
    {
        var files = Directory.GetFiles(path, "*", SearchOption.AllDirectories);
        Array.Sort(files, StringComparer.Ordinal);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(BuilderVersion + DiskBuilder.Version));
        foreach (var file in files)
        {
            var name = System.IO.Path.GetRelativePath(path, file);
            var executable = (System.IO.File.GetUnixFileMode(file) & UnixFileMode.UserExecute) != 0;
            using var content = System.IO.File.OpenRead(file);
            hash.AppendData(
                Encoding.UTF8.GetBytes($"{name}\0{(executable ? 'x' : '-')}\0{Convert.ToHexStringLower(SHA256.HashData(content))}\n")
            );
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static byte[] ReadBounded(string path) =>
        new FileInfo(path).Length <= MaxRecipeFileBytes
            ? System.IO.File.ReadAllBytes(path)
            : throw new ImageRecipeException($"{path} is larger than {MaxRecipeFileBytes} bytes.");

    // These words become arguments of tools: nothing that could be taken for an option or two words.
    private static void RequireWord(string source, string word)
    {
        if (word.Length == 0 || !char.IsAsciiLetterOrDigit(word[0]) || word.Any(c => !char.IsAsciiLetterOrDigit(c) && !"+-._:".Contains(c)))
        {
            throw new ImageRecipeException($"{source}: '{word}' is not a name.");
        }
    }
}

/// <summary>What is wrong with a recipe.</summary>
public sealed class ImageRecipeException(string message) : Exception(message);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ImageRecipeFile))]
internal sealed partial class RecipeJsonContext : JsonSerializerContext;
