using Oriel.Desktops.Templates;
using Oriel.Egress.Policy;

namespace Oriel.Desktops.Lifecycle;

/// <summary>A wish for a desktop, already validated: everything has its final value.</summary>
public sealed record DesktopSpec
{
    /// <summary>What a request that says nothing of them gets; a host name follows from the name.</summary>
    public const string DefaultName = "desktop",
        DefaultTimeZone = "UTC",
        DefaultKeyboardLayout = "us";

    public required string Template { get; init; }
    public required string Name { get; init; }
    public required string Image { get; init; }
    public required int Width { get; init; }
    public required int Height { get; init; }
    public required string Hostname { get; init; }
    public required string TimeZone { get; init; }
    public required string KeyboardLayout { get; init; }
    public string StartUrl { get; init; } = "";
    public IReadOnlyList<FileSpec> Files { get; init; } = [];
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();
    public IReadOnlyList<byte[]> Trust { get; init; } = [];
    public required EgressPolicy Egress { get; init; }
    public required DesktopLimits Limits { get; init; }

    /// <summary>A kernel of its own or no desktop at all.</summary>
    public bool NeedsVm { get; init; }
    public TimeSpan? Ttl { get; init; }
    public TimeSpan? IdleTimeout { get; init; }
    public TimeSpan? IdlePause { get; init; }

    /// <summary>What a request that names nothing but the template asks for.</summary>
    public static DesktopSpec Of(DesktopTemplate template) =>
        new()
        {
            Template = template.Name,
            Name = DefaultName,
            Image = template.Image,
            Width = template.Width,
            Height = template.Height,
            Hostname = DefaultName,
            TimeZone = DefaultTimeZone,
            KeyboardLayout = DefaultKeyboardLayout,
            Egress = template.Egress,
            Limits = template.Limits,
            NeedsVm = template.NeedsVm,
            Ttl = template.Ttl,
            IdleTimeout = template.IdleTimeout,
            IdlePause = template.IdlePause,
        };
}

/// <param name="Path">Absolute, normal form.</param>
/// <param name="Mode">Permission bits.</param>
/// <param name="Owner"><c>user</c>, <c>root</c> or uid:gid.</param>
public sealed record FileSpec(string Path, byte[] Content, uint Mode, string Owner);
