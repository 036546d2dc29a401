using System.Text;

namespace Oriel.Protocol.Layout;

/// <summary>
/// The data directory of one installation, and where everything in it lies. It is its owner's alone (0700). The script <c>oriel</c> keeps
/// programs beside what is named here: <c>app/</c>, what they are built in and with (<c>build/</c>, <c>sdk-*/</c>, <c>node-*/</c>), their
/// runtime (<c>dotnet-*/</c>) and the mark <c>.oriel</c>.
/// </summary>
/// <param name="Root">Path of the data directory.</param>
public sealed record DataLayout(string Root)
{
    /// <summary>The longest address of a unix socket, in bytes of its path (unix(7)).</summary>
    private const int LongestSocket = 107;

    /// <summary>As long as every desktop's id.</summary>
    private const string AnyId = "d-aaaaaaaaaa";

    /// <summary>Golden images, a directory for each (<see cref="ImageDirectory"/>). Written by <c>oriel image</c>, read by all.</summary>
    public string Images => PathOf("images");

    /// <summary>What a later build of an image can use again. Written by <c>oriel image build</c>; may be removed.</summary>
    public string Cache => PathOf("cache");

    /// <summary>The bundles of all desktops (0700), named by id.</summary>
    public string Desktops => PathOf("desktops");

    /// <summary>What means something only while a server runs (0700).</summary>
    public string Run => PathOf("run");

    /// <summary>Unix socket of the server that keepers hand each connection of their guest to.</summary>
    public string EgressSocket => Path.Combine(Run, "egress.sock");

    /// <summary>Process, address and certificate of the server that runs (0600); the script <c>oriel</c> reads it too.</summary>
    public string ServerFile => Path.Combine(Run, "server.json");

    /// <summary>Locked by the server that runs, and by <c>oriel down</c> while it clears up (0600). It stays, empty.</summary>
    public string ServerLock => Path.Combine(Run, "server.lock");

    /// <summary>SQLite (0600): desktops, their events, tokens, sessions. Written by the server and <c>oriel token</c>.</summary>
    public string Database => PathOf("oriel.db");

    /// <summary>The API token (0600). Made by the first server, replaced by <c>oriel token --rotate</c>.</summary>
    public string Token => PathOf("token");

    /// <summary>The self-signed certificate with its private key (PEM, 0600). Made by a server that needs one and was given none.</summary>
    public string Certificate => PathOf("certificate.pem");

    /// <summary>The operator's own templates; the server only reads it.</summary>
    public string Templates => PathOf("templates.json");

    /// <summary>
    /// What is used when the command line names none: /var/lib/oriel of the account <c>oriel</c>, else $XDG_DATA_HOME/oriel, else
    /// ~/.local/share/oriel.
    /// </summary>
    public static string DefaultRoot()
    {
        if (Environment.IsPrivilegedProcess || Environment.UserName == "oriel")
        {
            return "/var/lib/oriel";
        }

        var data = Environment.GetEnvironmentVariable("XDG_DATA_HOME");
        return Path.Combine(
            string.IsNullOrEmpty(data)
                ? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".local", "share")
                : data,
            "oriel"
        );
    }

    /// <summary>The bundle of a desktop, whether or not it is there.</summary>
    public Bundle BundleOf(string desktopId) => new(Path.Combine(Desktops, desktopId));

    /// <summary>Those that are there, also of desktops that no database knows.</summary>
    public IReadOnlyList<Bundle> Bundles() =>
        Directory.Exists(Desktops) ? [.. Directory.EnumerateDirectories(Desktops).Select(path => new Bundle(path))] : [];

    /// <summary>Each desktop's sockets lie in its bundle, and their addresses must hold its path.</summary>
    /// <exception cref="IOException">The data directory's path is too long for that.</exception>
    public void RequireShortPath()
    {
        var over = Encoding.UTF8.GetByteCount(BundleOf(AnyId).KeeperSocket) - LongestSocket;
        if (over > 0)
        {
            throw new IOException(
                $"The path of the data directory {Root} is {over} bytes too long for the sockets below it: take a shorter one (--data)."
            );
        }
    }

    public override string ToString() => Root;

    private string PathOf(string name) => Path.Combine(Root, name);
}
