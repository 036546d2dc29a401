using System.Net;
using Oriel.Desktops.Node;
using Oriel.Protocol.Layout;

namespace Oriel.Server.Configuration;

/// <summary>What <c>oriel serve</c> was asked to do.</summary>
public sealed record ServeOptions
{
    public const int DefaultPort = 4000;
    public const int DefaultMediaPort = 4001;

    /// <summary>Absolute path.</summary>
    public required string DataDirectory { get; init; }

    public DataLayout Layout => new(DataDirectory);

    /// <summary>Where the server listens. Anything but loopback means HTTPS.</summary>
    public IPAddress Bind { get; init; } = IPAddress.Loopback;

    /// <summary>0 = any free one.</summary>
    public int Port { get; init; } = DefaultPort;

    /// <summary>UDP and TCP of WebRTC; 0 = any free one.</summary>
    public int MediaPort { get; init; } = DefaultMediaPort;

    public DesktopDriver Driver { get; init; } = DesktopDriver.Container;

    public int MaxDesktops { get; init; } = 8;

    /// <summary>How many desktops of the default template wait, booted.</summary>
    public int Warm { get; init; }

    /// <summary>PEM files; both or neither.</summary>
    public string? Certificate { get; init; }

    public string? CertificateKey { get; init; }

    /// <summary>Addresses that browsers reach this host at, for ICE candidates.</summary>
    public IReadOnlyList<IPAddress> PublicAddresses { get; init; } = [];

    /// <summary>Names beside the address and localhost that the Host header may hold.</summary>
    public IReadOnlyList<string> Hosts { get; init; } = [];

    /// <summary>Folder of the built page; default: wwwroot beside the program, else web/dist of its checkout.</summary>
    public string? WebRoot { get; init; }

    /// <summary>Image store; default: images in the data directory.</summary>
    public string? ImagesDirectory { get; init; }

    /// <summary>For the boot test itself and for development; null = what ORIEL_ALLOW_UNTESTED_IMAGE says.</summary>
    public bool? AllowUntestedImages { get; init; }

    /// <summary>The oriel-keeper executable; default: beside the program.</summary>
    public string? KeeperPath { get; init; }

    /// <summary>Private networks that desktops may reach all the same.</summary>
    public IReadOnlyList<IPNetwork> EgressAllow { get; init; } = [];

    /// <summary>Networks that no desktop may reach.</summary>
    public IReadOnlyList<IPNetwork> EgressDeny { get; init; } = [];

    /// <summary>Upstream proxies that may be in a private network.</summary>
    public IReadOnlyList<DnsEndPoint> UpstreamAllow { get; init; } = [];

    public IReadOnlyDictionary<string, IPAddress> EgressHosts { get; init; } = new Dictionary<string, IPAddress>();

    public string Images => ImagesDirectory ?? Layout.Images;

    public bool IsHttps => !IPAddress.IsLoopback(Bind) || Certificate is not null;

    public string Keeper => KeeperPath ?? Path.Combine(AppContext.BaseDirectory, "oriel-keeper");
}
