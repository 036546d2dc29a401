using Oriel.Protocol;

namespace Oriel.Desktops.Lifecycle;

/// <summary>The proof that a desktop is what was asked for; made once, kept with it.</summary>
public sealed record AttestationDocument
{
    public required string DesktopId { get; init; }
    public required DateTimeOffset StartedAt { get; init; }
    public required DateTimeOffset CompletedAt { get; init; }
    public required string ImageName { get; init; }
    public required string ImageDigest { get; init; }
    public required string Driver { get; init; }
    public required string AgentVersion { get; init; }
    public required int KeeperPid { get; init; }
    public required string MachineId { get; init; }
    public required string BootId { get; init; }
    public required IReadOnlyList<FileAttestation> Files { get; init; }
    public required IReadOnlyList<EnvironmentAttestation> Environment { get; init; }
    public required string Hostname { get; init; }
    public required string TimeZone { get; init; }
    public required string KeyboardLayout { get; init; }

    /// <summary>Null only in a fork of a desktop that had none any more.</summary>
    public required WindowAttestation? Terminal { get; init; }

    /// <summary>As <see cref="Terminal"/>.</summary>
    public required WindowAttestation? Browser { get; init; }
    public required FrameAttestation FirstFrame { get; init; }
    public required CanaryAttestation Canary { get; init; }

    /// <summary>
    /// <c>reachable</c>, <c>unreachable</c> or <c>unknown</c>, as the desktop's own last connection to a public address found it. No proof
    /// of readiness: nothing is probed for it and nothing waits for it.
    /// </summary>
    public string Internet { get; init; } = "unknown";
}

/// <param name="Sha256">Hex, of the content read afresh from the guest's disk.</param>
public sealed record FileAttestation(string Path, string Sha256, long Size, string Mode, uint Uid, uint Gid);

/// <summary>A variable whose value is the one asked for; the value itself may be a secret and is not kept.</summary>
/// <param name="SeenBy">Who saw it with the expected value: login, session, exec.</param>
/// <param name="ValueSha256">Hex.</param>
public sealed record EnvironmentAttestation(string Name, string ValueSha256, IReadOnlyList<string> SeenBy);

public sealed record WindowAttestation(string Title, string WindowClass, int X, int Y, uint Width, uint Height, double ElapsedMs)
{
    public string Title { get; } = ForeignWords.Of(Title, ForeignWords.Name);

    public string WindowClass { get; } = ForeignWords.Of(WindowClass, ForeignWords.Name);
}

public sealed record FrameAttestation(string Codec, int Bytes, bool KeyFrame, uint Width, uint Height, double ElapsedMs);

/// <param name="Body">Hex of HMAC-SHA256(egress key, "canary" | nonce).</param>
public sealed record CanaryAttestation(string Nonce, int Status, string Body, double ElapsedMs);
