using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Oriel.Protocol.Keeper;

namespace Oriel.Protocol.Layout;

/// <summary>
/// A desktop's directory (0700), in <see cref="DataLayout.Desktops"/>: all that a server needs to find a living desktop again, and the only
/// place that the desktop's keeper writes to. Whoever reads it gets nothing, not an error, where a file is missing, too large or malformed:
/// a keeper may have been killed at any time, and its disk may be full.
/// </summary>
/// <param name="Path">Named by the desktop's id.</param>
public sealed record Bundle(string Path)
{
    private const int MaxFileBytes = 256 * 1024;

    /// <summary>
    /// As the keeper sees its own, which is its working directory: a socket's address stays short however deep the data directory lies.
    /// </summary>
    public static Bundle Current { get; } = new("");

    /// <summary>The desktop's id.</summary>
    public string Name => System.IO.Path.GetFileName(Path);

    public bool Exists => Directory.Exists(Path);

    /// <summary>What the keeper is to do (0600). Written by the server before the keeper starts, never changed afterwards.</summary>
    public string Spec => PathOf("spec.json");

    /// <summary>Who the keeper is (0600). Written by it, atomically, once its socket answers.</summary>
    public string Identity => PathOf("keeper.json");

    /// <summary>The keeper's last event (0600), for a server that was away when it happened. Written by the keeper, atomically.</summary>
    public string Exit => PathOf("exit.json");

    /// <summary>Unix socket of the keeper: events and commands.</summary>
    public string KeeperSocket => PathOf("keeper.sock");

    /// <summary>Unix socket that the keeper relays to the guest's agent; there from when that answers.</summary>
    public string AgentSocket => PathOf("agent.sock");

    /// <summary>The keeper's standard output and error.</summary>
    public string KeeperLog => PathOf("keeper.log");

    /// <summary>The guest's console. Written by the keeper; older lines are in <c>console.log.1</c>.</summary>
    public string ConsoleLog => PathOf("console.log");

    /// <summary>What a VMM says of itself. Written by the keeper; the older part of it is in <c>vmm.log.1</c>.</summary>
    public string VmmLog => PathOf("vmm.log");

    /// <summary>A VMM's own figures, as it last reported them (0600). Written by the keeper.</summary>
    public string VmmMetrics => PathOf("vmm-metrics.json");

    /// <summary>What the guest has written. The keeper's; what is in it may belong to subordinate user ids.</summary>
    public string Scratch => PathOf("scratch");

    /// <summary>The files of the machine that a fork starts from, until its keeper has taken them.</summary>
    public string Fork => PathOf("fork");

    /// <summary>Null when there is none, or one that no keeper could run by.</summary>
    public KeeperSpec? ReadSpec() =>
        Read(Spec, KeeperJsonContext.Default.KeeperSpec)
            is { DesktopId: not null, EgressKey.Length: GuestRules.KeyBytes, AgentKey.Length: GuestRules.KeyBytes, Limits: not null } spec
            ? spec
            : null;

    /// <summary>Null when the keeper has not written who it is, or wrote something else.</summary>
    public KeeperIdentity? ReadIdentity() =>
        Read(Identity, KeeperJsonContext.Default.KeeperIdentity) is { BootId: not null } identity ? identity : null;

    /// <summary>The keeper's last event, if it could still write it.</summary>
    public KeeperExit? ReadExit() => Read(Exit, KeeperMessageContext.Default.KeeperMessage) as KeeperExit;

    /// <summary>The whole lines in the last bytes of the keeper's log; empty when it is not there.</summary>
    public IReadOnlyList<string> TailOfKeeperLog(int bytes) => Tail(KeeperLog, bytes);

    /// <summary>The whole lines in the last bytes of the guest's console; empty when it is not there.</summary>
    public IReadOnlyList<string> TailOfConsoleLog(int bytes) => Tail(ConsoleLog, bytes);

    public override string ToString() => Path;

    private static T? Read<T>(string path, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            var file = new FileInfo(path);
            return file.Exists && file.Length <= MaxFileBytes ? JsonSerializer.Deserialize(File.ReadAllBytes(path), type) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or NotSupportedException)
        {
            return null;
        }
    }

    private static IReadOnlyList<string> Tail(string path, int bytes)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var cut = file.Length > bytes;
            file.Seek(cut ? -bytes : 0, cut ? SeekOrigin.End : SeekOrigin.Begin);
            var buffer = new byte[bytes];
            var read = file.ReadAtLeast(buffer, bytes, throwOnEndOfStream: false);
            return [.. Encoding.UTF8.GetString(buffer, 0, read).Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(cut ? 1 : 0)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private string PathOf(string name) => System.IO.Path.Combine(Path, name);
}
