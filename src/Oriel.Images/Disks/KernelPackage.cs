using System.Formats.Tar;
using System.Text;
using Oriel.Images.Tools;

namespace Oriel.Images.Disks;

/// <summary>
/// What a guest's start needs of the distribution: the kernel, its modules and busybox. Fetched once from the recipe's own mirrors, without
/// being installed, and kept in the cache.
/// </summary>
internal sealed class KernelPackage
{
    private const string Busybox = "busybox-static";
    private const string KernelPrefix = "boot/vmlinuz-";
    private const string ModuleSuffix = ".ko.xz";
    private readonly Dictionary<string, byte[]> _packedModules;
    private readonly HashSet<string> _builtIn;

    private KernelPackage(string release, byte[] image, byte[] busybox, Dictionary<string, byte[]> packedModules, HashSet<string> builtIn)
    {
        (Release, Image, BusyboxProgram) = (release, image, busybox);
        (_packedModules, _builtIn) = (packedModules, builtIn);
    }

    public string Release { get; }

    /// <summary>The bzImage.</summary>
    public byte[] Image { get; }

    public byte[] BusyboxProgram { get; }

    /// <summary>The command that fetches it as a tar.</summary>
    /// <param name="package">Debian's name of it, with its version where one is pinned.</param>
    public static IReadOnlyList<string> FetchCommand(
        string package,
        string suite,
        IReadOnlyList<string> mirrors,
        string temporary,
        string tar
    ) =>
        [
            "env",
            $"TMPDIR={temporary}",
            "mmdebstrap",
            "--mode=unshare",
            "--variant=extract",
            "--format=tar",
            $"--include={package},{Busybox}",
            suite,
            tar,
            .. mirrors,
        ];

    /// <exception cref="ImageBuildException">It is not what a Debian kernel package holds.</exception>
    public static async Task<KernelPackage> ReadAsync(string tar, CancellationToken cancellationToken)
    {
        string? release = null;
        byte[]? image = null,
            busybox = null;
        var modules = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        var builtIn = new HashSet<string>(StringComparer.Ordinal);
        await using var file = File.OpenRead(tar);
        await using var reader = new TarReader(file);
        while (await reader.GetNextEntryAsync(copyData: false, cancellationToken) is { } entry)
        {
            var path = entry.Name.TrimStart('.', '/');
            if (entry.DataStream is not { } data)
            {
                continue;
            }

            if (path.StartsWith(KernelPrefix, StringComparison.Ordinal))
            {
                release = image is null
                    ? path[KernelPrefix.Length..]
                    : throw new ImageBuildException("There are two kernels in what was fetched.");
                image = await BytesAsync(data, cancellationToken);
            }
            else if (path.EndsWith(ModuleSuffix, StringComparison.Ordinal))
            {
                modules[NameOf(path)] = await BytesAsync(data, cancellationToken);
            }
            else if (path.EndsWith("/modules.builtin", StringComparison.Ordinal))
            {
                builtIn.UnionWith(
                    Encoding
                        .ASCII.GetString(await BytesAsync(data, cancellationToken))
                        .Split('\n', StringSplitOptions.RemoveEmptyEntries)
                        .Select(NameOf)
                );
            }
            else if (path is "usr/bin/busybox" or "bin/busybox")
            {
                busybox = await BytesAsync(data, cancellationToken);
            }
        }

        return release is not null && image is not null && busybox is not null
            ? new KernelPackage(release, image, busybox, modules, builtIn)
            : throw new ImageBuildException($"{tar} lacks {(image is null ? "a kernel" : "busybox")}.");
    }

    /// <summary>These modules and what they depend on, in an order in which they can be loaded.</summary>
    /// <param name="work">A folder for files on the way.</param>
    /// <exception cref="ImageBuildException">One is neither there nor built in.</exception>
    public async Task<IReadOnlyList<KernelModule>> ModulesAsync(IEnumerable<string> names, string work, CancellationToken cancellationToken)
    {
        var ordered = new List<KernelModule>();
        foreach (var name in names)
        {
            await AddAsync(name, ordered, work, cancellationToken);
        }

        return ordered;
    }

    private async Task AddAsync(string name, List<KernelModule> ordered, string work, CancellationToken cancellationToken)
    {
        if (_builtIn.Contains(name) || ordered.Any(module => module.Name == name))
        {
            return;
        }

        if (!_packedModules.TryGetValue(name, out var packed))
        {
            throw new ImageBuildException($"The kernel {Release} has no module {name}.");
        }

        var path = Path.Combine(work, name + ModuleSuffix);
        await File.WriteAllBytesAsync(path, packed, cancellationToken);
        await Command.RunAsync(["xz", "--decompress", "--force", path], null, cancellationToken);
        var content = await File.ReadAllBytesAsync(path[..^".xz".Length], cancellationToken);
        foreach (var needed in DependenciesOf(content))
        {
            await AddAsync(needed, ordered, work, cancellationToken);
        }

        ordered.Add(new KernelModule(name, content));
    }

    /// <summary>Each module says in its section .modinfo what it depends on: <c>depends=A,B NUL</c>.</summary>
    internal static IEnumerable<string> DependenciesOf(ReadOnlySpan<byte> module)
    {
        var key = "\0depends="u8;
        var at = module.IndexOf(key);
        if (at < 0)
        {
            return [];
        }

        var rest = module[(at + key.Length)..];
        var end = rest.IndexOf((byte)0);
        return Encoding.ASCII.GetString(rest[..Math.Max(end, 0)]).Split(',', StringSplitOptions.RemoveEmptyEntries).Select(Normal);
    }

    private static string NameOf(string path)
    {
        var name = path[(path.LastIndexOf('/') + 1)..];
        return Normal(name[..name.IndexOf(".ko", StringComparison.Ordinal)]);
    }

    // The kernel takes both for the same; file names have either.
    private static string Normal(string name) => name.Replace('-', '_');

    private static async Task<byte[]> BytesAsync(Stream data, CancellationToken cancellationToken)
    {
        var bytes = new byte[data.Length];
        await data.ReadExactlyAsync(bytes, cancellationToken);
        return bytes;
    }
}

internal sealed record KernelModule(string Name, byte[] Content);
