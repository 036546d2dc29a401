using System.Text.Json.Serialization;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Loop;
using Oriel.Desktops.Node;
using Oriel.Egress.Log;
using Oriel.Egress.Policy;
using Oriel.Protocol;
using Oriel.Protocol.Guest;

namespace Oriel.Server.Desktops;

/// <summary>A wish for a desktop; all is optional.</summary>
internal sealed record CreateDesktopRequest
{
    public string? Template { get; init; }
    public string? Name { get; init; }
    public int? Width { get; init; }
    public int? Height { get; init; }
    public IReadOnlyList<CreateFile>? Files { get; init; }
    public IReadOnlyDictionary<string, string>? Env { get; init; }
    public string? Hostname { get; init; }
    public string? TimeZone { get; init; }
    public string? KeyboardLayout { get; init; }
    public string? StartUrl { get; init; }

    /// <summary>PEM certificates of further authorities that the guest trusts.</summary>
    public IReadOnlyList<string>? Trust { get; init; }
    public EgressPolicy? Egress { get; init; }

    /// <summary>Seconds from now.</summary>
    public int? Ttl { get; init; }

    /// <summary>Seconds without viewers and requests, after which it is destroyed.</summary>
    public int? IdleTimeout { get; init; }

    /// <summary>Seconds without viewers and requests, after which it is paused until the next one.</summary>
    public int? IdlePause { get; init; }
}

/// <param name="Content">Base64.</param>
/// <param name="Mode">Octal, such as 0644.</param>
/// <param name="Owner">user, root or uid:gid.</param>
internal sealed record CreateFile(string? Path, byte[]? Content, string? Mode = null, string? Owner = null);

/// <param name="Name">Of the fork; by default that of the desktop with <c> (fork)</c> after it.</param>
internal sealed record ForkDesktopRequest(string? Name = null);

/// <param name="CanFork">Whether the driver can copy it while it lives.</param>
internal sealed record DesktopResponse(
    string Id,
    string Name,
    string Template,
    DesktopState State,
    DesktopReason? Reason,
    ImageReference Image,
    string Driver,
    string Isolation,
    bool CanFork,
    int Width,
    int Height,
    string Hostname,
    DateTimeOffset CreatedAt,
    DateTimeOffset? ReadyAt,
    DateTimeOffset? ExpiresAt,
    IReadOnlyList<StepView> Steps,
    EgressPolicy Egress,
    int Viewers,
    IReadOnlyList<DesktopWarning> Warnings
)
{
    public static DesktopResponse Of(Desktop desktop)
    {
        var s = desktop.View;
        return new DesktopResponse(
            s.Id.ToString(),
            s.Name,
            s.Template,
            s.State,
            s.State is DesktopState.Failed or DesktopState.Destroying or DesktopState.Destroyed ? s.Reason : null,
            new ImageReference(s.ImageName, s.ImageDigest),
            s.Driver,
            DesktopDriver.IsolationOf(s.Driver),
            desktop.CanFork,
            s.Width,
            s.Height,
            s.Hostname,
            s.CreatedAt,
            s.ReadyAt,
            s.ExpiresAt,
            s.Steps,
            desktop.EgressPolicy.WithoutSecrets(),
            s.Viewers,
            s.Warnings
        );
    }
}

internal sealed record ImageReference(string Name, string Digest);

internal sealed record DesktopListResponse(IReadOnlyList<DesktopResponse> Desktops);

internal sealed record ExecRequest
{
    public string? Command { get; init; }
    public IReadOnlyList<string>? Args { get; init; }
    public IReadOnlyDictionary<string, string>? Env { get; init; }
    public string? Cwd { get; init; }
    public string? User { get; init; }
    public string? Stdin { get; init; }

    /// <summary>Seconds; default 60.</summary>
    public double? Timeout { get; init; }

    /// <summary>Of stdout and stderr in the response: utf-8 (default) or base64.</summary>
    public string? Encoding { get; init; }
}

/// <param name="Replaced">Some output was no UTF-8, and stands here as replacement characters; never true in base64.</param>
internal sealed record ExecResponse(int ExitCode, string Stdout, string Stderr, bool TimedOut, bool Truncated, bool Replaced);

internal sealed record ProcessRequest
{
    /// <summary>With <see cref="Pty"/>, none is the user's shell.</summary>
    public string? Command { get; init; }
    public IReadOnlyList<string>? Args { get; init; }
    public IReadOnlyDictionary<string, string>? Env { get; init; }
    public string? Cwd { get; init; }
    public string? User { get; init; }

    /// <summary>Seconds; none by default.</summary>
    public double? Timeout { get; init; }

    /// <summary>A terminal in place of three pipes.</summary>
    public bool Pty { get; init; }

    /// <summary>Of the terminal; default 80.</summary>
    public int? Columns { get; init; }

    /// <summary>Of the terminal; default 24.</summary>
    public int? Rows { get; init; }
}

/// <param name="State">running or exited.</param>
/// <param name="ExitCode">128 and the signal where one ended it; null while it runs.</param>
/// <param name="OutputFrom">The first byte that is kept, of all that it has written.</param>
/// <param name="OutputEnd">How many bytes it has written.</param>
internal sealed record ProcessResponse(
    string Id,
    int Pid,
    string CommandLine,
    bool Pty,
    string State,
    int? ExitCode,
    bool TimedOut,
    DateTimeOffset StartedAt,
    DateTimeOffset? EndedAt,
    long OutputFrom,
    long OutputEnd
)
{
    private const int MaxId = 64;
    private const int MaxCommandLine = 1001;

    public static ProcessResponse Of(ProcessInfo info) =>
        new(
            ForeignWords.Of(info.Id, MaxId),
            info.Pid,
            ForeignWords.Of(info.CommandLine, MaxCommandLine),
            info.Pty,
            info.Exit is null ? "running" : "exited",
            info.Exit?.ExitCode,
            info.Exit?.TimedOut ?? false,
            FileTransfer.Time(info.StartedUs),
            info.Exit is null ? null : FileTransfer.Time(info.EndedUs),
            info.OutputFrom,
            info.OutputEnd
        );
}

internal sealed record ProcessListResponse(IReadOnlyList<ProcessResponse> Processes);

/// <param name="Signal">Its name, with or without SIG.</param>
internal sealed record SignalBody(string? Signal = null);

internal sealed record WindowBody(int? Columns = null, int? Rows = null);

/// <summary>A text of a process's socket, from here: one of them.</summary>
/// <param name="From">The byte that follows, where it is not the next one.</param>
internal sealed record ProcessNotice(
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] long? From,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] ProcessExit? Exit
);

internal sealed record ProcessExit(int ExitCode, bool TimedOut);

/// <summary>A text of a process's socket, to here: one of them.</summary>
/// <param name="End">Its input ends.</param>
internal sealed record ProcessWish(WindowBody? Window = null, string? Signal = null, bool? End = null);

internal sealed record FileResponse(string Path, long Size, string Sha256);

/// <param name="Truncated">There are more than the 10,000 that stand here.</param>
internal sealed record DirectoryResponse(string Path, IReadOnlyList<DirectoryEntry> Entries, bool Truncated);

/// <param name="Type">file, directory, link or other.</param>
/// <param name="Mode">Octal.</param>
internal sealed record DirectoryEntry(string Name, string Type, long Size, string Mode, DateTimeOffset ModifiedAt);

/// <param name="Type">As <see cref="DirectoryEntry"/>.</param>
/// <param name="Mode">Octal.</param>
/// <param name="Target">What a link points to, as it stands there; else null.</param>
internal sealed record FileStatResponse(
    string Path,
    string Type,
    long Size,
    string Mode,
    uint Uid,
    uint Gid,
    DateTimeOffset ModifiedAt,
    string? Target
);

internal sealed record MoveFileBody
{
    public string? From { get; init; }
    public string? To { get; init; }

    /// <summary>Whether a file, a link or an empty directory of the new name gives way.</summary>
    public bool Overwrite { get; init; }
}

/// <param name="Bytes">Of the files' contents.</param>
/// <param name="LeftOut">Devices, pipes and sockets, and names that are no UTF-8.</param>
internal sealed record ArchiveResponse(string Path, long Files, long Directories, long Links, long Bytes, long LeftOut);

/// <param name="From">Where what was moved was before; else null.</param>
/// <param name="Directory">Whether it is one.</param>
internal sealed record FileChangeEvent(string Path, string? From, bool Directory);

/// <param name="Reason">Why the events end; null when the directory is gone.</param>
internal sealed record WatchEndEvent(string? Reason, string? Message);

internal sealed record LogResponse(IReadOnlyList<string> Lines);

/// <param name="Dropped">Packets that the keeper dropped, by what they were.</param>
/// <param name="Internet">reachable, unreachable or unknown.</param>
internal sealed record EgressResponse(
    EgressPolicy Policy,
    int Connections,
    IReadOnlyDictionary<string, long> Dropped,
    string Internet,
    IReadOnlyList<EgressEntry> Log
);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false
)]
[JsonSerializable(typeof(CreateDesktopRequest))]
[JsonSerializable(typeof(ForkDesktopRequest))]
[JsonSerializable(typeof(DesktopResponse))]
[JsonSerializable(typeof(DesktopListResponse))]
[JsonSerializable(typeof(ExecRequest))]
[JsonSerializable(typeof(ExecResponse))]
[JsonSerializable(typeof(ProcessRequest))]
[JsonSerializable(typeof(ProcessResponse))]
[JsonSerializable(typeof(ProcessListResponse))]
[JsonSerializable(typeof(SignalBody))]
[JsonSerializable(typeof(WindowBody))]
[JsonSerializable(typeof(ProcessNotice))]
[JsonSerializable(typeof(ProcessWish))]
[JsonSerializable(typeof(FileResponse))]
[JsonSerializable(typeof(DirectoryResponse))]
[JsonSerializable(typeof(FileStatResponse))]
[JsonSerializable(typeof(MoveFileBody))]
[JsonSerializable(typeof(ArchiveResponse))]
[JsonSerializable(typeof(FileChangeEvent))]
[JsonSerializable(typeof(WatchEndEvent))]
[JsonSerializable(typeof(LogResponse))]
[JsonSerializable(typeof(EgressPolicy))]
[JsonSerializable(typeof(EgressResponse))]
[JsonSerializable(typeof(AttestationDocument))]
internal sealed partial class DesktopsApiJsonContext : JsonSerializerContext;
