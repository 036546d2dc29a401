using System.Security.Cryptography;
using System.Text;
using Oriel.Images.Tools;

namespace Oriel.Images.Building;

/// <summary>
/// Where mmdebstrap unpacks. In its user namespace root is the first subordinate id, a stranger to whoever builds: a folder above that is
/// closed to others, as Debian makes homes (adduser's DIR_MODE=0700), stops it. The room is the build's own directory where everybody may
/// pass to it, else one below /var/tmp.
/// </summary>
internal sealed class BootstrapRoom : IAsyncDisposable
{
    private const UnixFileMode PassableByAll =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private readonly bool _isElsewhere;

    private BootstrapRoom(string path, bool isElsewhere)
    {
        Path = path;
        _isElsewhere = isElsewhere;
    }

    public string Path { get; }

    /// <param name="building">The build's own directory; what is in it goes with it.</param>
    /// <param name="store">Of the images; tells rooms of one store from another's.</param>
    /// <param name="elsewhere">Where a room is made that the build's directory cannot be.</param>
    public static BootstrapRoom Create(string building, string store, string elsewhere = "/var/tmp")
    {
        var isElsewhere = !IsPassable(building);
        var path = isElsewhere
            ? System.IO.Path.Combine(elsewhere, PrefixOf(store) + Guid.NewGuid().ToString("n"))
            : System.IO.Path.Combine(building, "tmp");
        Directory.CreateDirectory(path);
        // Whatever the umask is.
        File.SetUnixFileMode(path, PassableByAll);
        return new BootstrapRoom(path, isElsewhere);
    }

    /// <summary>Rooms that builds of this store have left when they were killed; the caller holds its lock.</summary>
    public static IEnumerable<string> Left(string store, string elsewhere = "/var/tmp") =>
        Directory.EnumerateDirectories(elsewhere, PrefixOf(store) + "*");

    public async ValueTask DisposeAsync()
    {
        if (_isElsewhere)
        {
            await MappedNamespace.RemoveTreeAsync(Path, CancellationToken.None);
        }
    }

    /// <summary>Whether a stranger gets through every folder down to this one.</summary>
    internal static bool IsPassable(string path)
    {
        for (var folder = new DirectoryInfo(path); folder is not null; folder = folder.Parent)
        {
            if (!folder.UnixFileMode.HasFlag(UnixFileMode.OtherExecute))
            {
                return false;
            }
        }

        return true;
    }

    private static string PrefixOf(string store) =>
        $"oriel-image-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(System.IO.Path.GetFullPath(store))))[..12]}-";
}
