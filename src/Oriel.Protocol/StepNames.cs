namespace Oriel.Protocol;

/// <summary>
/// The names of a desktop's steps, as events, reasons, the page and docs/protocol.md have them. Steps overlap: while one of the server's
/// waits, the keeper's and the guest's run.
/// </summary>
public static class StepNames
{
    // The server's.

    /// <summary>A fork's: looks at what the source is like.</summary>
    public const string Observe = "observe";

    /// <summary>A fork's: copies the source's machine.</summary>
    public const string Fork = "fork";

    /// <summary>Others start; there is a limit.</summary>
    public const string Queue = "queue";

    /// <summary>The digests of the image's disks are checked.</summary>
    public const string ImageDisks = "image-disks";

    public const string Prepare = "prepare";

    /// <summary>The memory of a snapshot is taken, to be shared.</summary>
    public const string Memory = "memory";

    public const string Keeper = "keeper";

    /// <summary>The keeper starts the guest, in steps of its own.</summary>
    public const string GuestStart = "guest-start";

    public const string Agent = "agent";

    /// <summary>In place of <see cref="Configure"/> after a snapshot: the machine gets an identity of its own.</summary>
    public const string Renew = "renew";

    public const string ScreenSize = "screen-size";
    public const string Configure = "configure";
    public const string TerminalWindow = "terminal-window";
    public const string BrowserWindow = "browser-window";
    public const string FirstFrame = "first-frame";
    public const string FilesVerified = "files-verified";
    public const string EnvironmentVerified = "environment-verified";
    public const string EgressCanary = "egress-canary";

    /// <summary>The first warm machine of an image is written down.</summary>
    public const string Snapshot = "snapshot";

    /// <summary>A new server finds the desktop of the one before.</summary>
    public const string Adopt = "adopt";

    /// <summary>A desktop that waited, booted, was claimed.</summary>
    public const string Claim = "claim";

    /// <summary>The record of a new desktop is written.</summary>
    public const string Store = "store";

    // The keeper's.

    public const string Namespaces = "namespaces";
    public const string Network = "network";

    /// <summary>The desktop's own layer or disk is made.</summary>
    public const string Scratch = "scratch";

    public const string ContainerCreate = "container-create";
    public const string ContainerStart = "container-start";
    public const string VmStart = "vm-start";

    /// <summary>In place of a boot: the machine is loaded from a snapshot.</summary>
    public const string Restore = "restore";

    /// <summary>QEMU's: until the guest's kernel says a word.</summary>
    public const string Kernel = "kernel";

    /// <summary>QEMU's: until the guest has mounted its disks.</summary>
    public const string GuestDisks = "guest-disks";

    /// <summary>Firecracker's: until the guest has mounted its disks.</summary>
    public const string VmBoot = "vm-boot";

    public const string AgentLink = "agent-link";

    // The guest's.

    public const string Mounts = "mounts";
    public const string BootConfig = "boot-config";

    /// <summary>Only where a boot fails at none of its steps.</summary>
    public const string Boot = "boot";

    public const string RuntimeDirs = "runtime-dirs";
    public const string XServer = "x-server";

    /// <summary>The guest's part of <see cref="Configure"/>.</summary>
    public const string GuestConfigure = "guest-configure";

    /// <summary>The guest's part of <see cref="Renew"/>.</summary>
    public const string GuestRenew = "guest-renew";

    public const string Dbus = "dbus";

    /// <summary>Its end means that the desktop session runs.</summary>
    public const string Session = "session";

    /// <summary>A session that waited is ended, as it cannot become what is asked for.</summary>
    public const string SessionEnd = "session-end";

    /// <summary>
    /// All that the server runs itself, in the order in which a creation comes to them; of several that run the first is named.
    /// </summary>
    public static readonly IReadOnlyList<string> OfServer =
    [
        Store,
        Observe,
        Fork,
        Queue,
        ImageDisks,
        Prepare,
        Memory,
        Keeper,
        GuestStart,
        Agent,
        Claim,
        Renew,
        ScreenSize,
        Configure,
        TerminalWindow,
        BrowserWindow,
        FirstFrame,
        FilesVerified,
        EnvironmentVerified,
        EgressCanary,
        Snapshot,
        Adopt,
    ];

    public static readonly IReadOnlyList<string> OfKeeper =
    [
        Namespaces,
        Network,
        Scratch,
        ContainerCreate,
        ContainerStart,
        VmStart,
        Restore,
        Kernel,
        GuestDisks,
        VmBoot,
        AgentLink,
    ];

    public static readonly IReadOnlyList<string> OfGuest =
    [
        Mounts,
        BootConfig,
        Boot,
        RuntimeDirs,
        XServer,
        GuestConfigure,
        GuestRenew,
        Dbus,
        Session,
        SessionEnd,
    ];
}
