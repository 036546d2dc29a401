using System.CommandLine;
using System.Net;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging.Console;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Templates;
using Oriel.Images;
using Oriel.Linux.Processes;
using Oriel.Server.Hosting;
using Spectre.Console;

namespace Oriel.Server.Commands;

/// <summary><c>oriel serve</c>: the server, until Ctrl-C or SIGTERM.</summary>
internal static class ServeCommand
{
    private static readonly Option<string> Data = new("--data") { Description = "Data directory", DefaultValueFactory = _ => DataDirectory.Default() };
    private static readonly Option<string> Bind = new("--bind") { Description = "Address to listen on; anything but loopback means HTTPS", DefaultValueFactory = _ => "127.0.0.1" };
    private static readonly Option<int> Port = new("--port") { Description = "TCP port; 0 = any", DefaultValueFactory = _ => ServeOptions.DefaultPort };
    private static readonly Option<int> MediaPort = new("--media-port") { Description = "UDP and TCP port of WebRTC; 0 = any", DefaultValueFactory = _ => ServeOptions.DefaultMediaPort };
    private static readonly Option<string> Driver = new("--driver") { Description = "auto (where KVM works firecracker, else qemu; else container), firecracker, qemu or container", DefaultValueFactory = _ => "auto" };
    private static readonly Option<int> MaxDesktops = new("--max-desktops") { Description = "Most desktops at once", DefaultValueFactory = _ => 8 };
    private static readonly Option<int> Warm = new("--warm") { Description = "How many desktops wait, booted, so that Connect takes no boot; each holds the memory of an idle one", DefaultValueFactory = _ => 0 };
    private static readonly Option<string?> Cert = new("--cert") { Description = "Certificate (PEM); default beyond loopback: a self-signed one" };
    private static readonly Option<string?> Key = new("--key") { Description = "Its private key (PEM)" };
    private static readonly Option<string[]> PublicAddress = new("--public-address") { Description = "Address that browsers reach this host at, for WebRTC; repeatable" };
    private static readonly Option<string[]> Host = new("--host") { Description = "Further name that the server answers to; repeatable" };
    private static readonly Option<string?> Web = new("--web") { Description = "Folder of the built page" };
    private static readonly Option<string?> Images = new("--images") { Description = "Image store; default: images in the data directory" };
    private static readonly Option<string?> Keeper = new("--keeper") { Description = "The oriel-keeper program; default: beside this one" };
    private static readonly Option<string[]> EgressAllow = new("--egress-allow") { Description = "Private network (CIDR) that desktops may reach; repeatable" };
    private static readonly Option<string[]> EgressHost = new("--egress-host") { Description = "NAME=ADDRESS that desktops' names resolve to first; repeatable" };

    public static Command Create()
    {
        var command = new Command("serve", "Run the server")
        {
            Data, Bind, Port, MediaPort, Driver, MaxDesktops, Warm, Cert, Key, PublicAddress, Host, Web, Images, Keeper, EgressAllow, EgressHost,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            if (Environment.IsPrivilegedProcess)
            {
                return Refuse("The server never runs as root. Use ./oriel up, which makes and drops to the user oriel, or: setpriv --reuid oriel --regid oriel --init-groups oriel serve");
            }

            if (Read(parsed, out var problem) is not { } options)
            {
                return Refuse(problem);
            }

            var (driver, unfit) = await DriverChoice.ResolveAsync(parsed.GetValue(Driver)!, options.Keeper, cancellation);
            return driver is null ? Refuse(unfit!) : await RunAsync(options with { Driver = driver }, cancellation);
        });
        return command;
    }

    private static int Refuse(string problem)
    {
        Console.Error.WriteLine("oriel: " + problem);
        return 2;
    }

    private static ServeOptions? Read(ParseResult parsed, out string problem)
    {
        problem = "";
        try
        {
            var options = new ServeOptions
            {
                DataDirectory = Path.GetFullPath(parsed.GetValue(Data)!),
                Bind = Address("--bind", parsed.GetValue(Bind)!),
                Port = PortOf("--port", parsed.GetValue(Port)),
                MediaPort = PortOf("--media-port", parsed.GetValue(MediaPort)),
                MaxDesktops = parsed.GetValue(MaxDesktops) is > 0 and <= 1000 and var most ? most : throw new FormatException("--max-desktops must be 1 to 1000."),
                Warm = parsed.GetValue(Warm) is >= 0 and <= DesktopTemplate.MaxWarm and var warm ? warm : throw new FormatException($"--warm must be 0 to {DesktopTemplate.MaxWarm}."),
                Certificate = parsed.GetValue(Cert),
                CertificateKey = parsed.GetValue(Key),
                PublicAddresses = [.. (parsed.GetValue(PublicAddress) ?? []).Select(a => Address("--public-address", a))],
                Hosts = parsed.GetValue(Host) ?? [],
                WebRoot = parsed.GetValue(Web),
                ImagesDirectory = parsed.GetValue(Images) is { } images ? Path.GetFullPath(images) : null,
                KeeperPath = parsed.GetValue(Keeper) is { } keeper ? Path.GetFullPath(keeper) : null,
                EgressAllow = [.. (parsed.GetValue(EgressAllow) ?? []).Select(cidr => IPNetwork.TryParse(cidr, out var network) ? network : throw new FormatException($"--egress-allow: '{cidr}' is no network."))],
                EgressHosts = (parsed.GetValue(EgressHost) ?? []).Select(ReadHost).ToDictionary(h => h.Name, h => h.Address),
            };
            if ((options.Certificate is null) != (options.CertificateKey is null))
            {
                throw new FormatException("--cert and --key go together.");
            }

            return options;
        }
        catch (FormatException e)
        {
            problem = e.Message;
            return null;
        }
    }

    private static IPAddress Address(string option, string text) =>
        IPAddress.TryParse(text, out var address) ? address : throw new FormatException($"{option}: '{text}' is no IP address.");

    private static int PortOf(string option, int port) => port is >= 0 and <= 65535 ? port : throw new FormatException($"{option} must be 0 to 65535.");

    private static (string Name, IPAddress Address) ReadHost(string text) =>
        text.Split('=') is [{ Length: > 0 } name, var address] ? (name, Address("--egress-host", address)) : throw new FormatException($"--egress-host: '{text}' is not NAME=ADDRESS.");

    private static async Task<int> RunAsync(ServeOptions options, CancellationToken cancellation)
    {
        Directory.CreateDirectory(options.DataDirectory, PrivateFile.OwnerOnlyDirectory);
        Directory.CreateDirectory(options.RunDirectory, PrivateFile.OwnerOnlyDirectory);
        using var held = ServerLock.TryTake(options.DataDirectory);
        if (held is null)
        {
            var other = ServerInstance.Read(options.DataDirectory);
            return Refuse($"A server runs on {options.DataDirectory} already{(other is null ? "" : $": {other.Url} (process {other.Pid})")}.");
        }

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => Stop(signal, stop));
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => Stop(signal, stop));
        IReadOnlyList<DesktopSnapshot> left;
        try
        {
            await using var host = await OrielHost.StartAsync(options, new HostParts { Logging = AddConsole, SearchPath = Programs.SearchPath }, stop.Token);
            new ServerInstance(Environment.ProcessId, host.Url, host.CertificateFingerprint).Write(options.DataDirectory);
            await AnnounceAsync(host, stop.Token);
            await Task.Delay(Timeout.Infinite, stop.Token).ContinueWith(static _ => { }, TaskScheduler.Default);
            AnsiConsole.MarkupLine("[grey]Stopping…[/]");
            left = [.. host.Desktops.List(all: false).Select(d => d.Snapshot).Where(s => DesktopTransitions.Counts(s.State))];
        }
        catch (IOException e)
        {
            return Refuse(e.Message);
        }
        catch (OperationCanceledException)
        {
            return 130;
        }
        finally
        {
            File.Delete(ServerInstance.PathIn(options.DataDirectory));
        }

        TellWhatLivesOn(left);
        return 0;
    }

    private static void Stop(PosixSignalContext signal, CancellationTokenSource stop)
    {
        signal.Cancel = true;
        stop.Cancel();
    }

    private static void AddConsole(ILoggingBuilder logging) => logging
        .AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.TimestampFormat = "HH:mm:ss ";
            console.ColorBehavior = Console.IsOutputRedirected ? LoggerColorBehavior.Disabled : LoggerColorBehavior.Default;
        })
        .SetMinimumLevel(LogLevel.Information)
        .AddFilter("Microsoft", LogLevel.Warning);

    private static async Task AnnounceAsync(OrielHost host, CancellationToken cancellationToken)
    {
        if (host.CertificateFingerprint is { } fingerprint)
        {
            Console.WriteLine($"Certificate (SHA-256): {fingerprint}");
        }

        // Plain, on a line of its own, so that scripts and terminals find it.
        var driver = host.Options.Driver;
        Console.WriteLine($"Desktops: {driver.Name}{(driver.Accelerator is { } by ? $" ({by})" : "")}");
        Console.WriteLine($"Oriel is ready. Sign in (once, within 10 minutes):\n{host.Url}/signin#token={await host.NewSignInAsync(cancellationToken)}");
    }

    private static void TellWhatLivesOn(IReadOnlyList<DesktopSnapshot> left)
    {
        if (left.Count == 0)
        {
            Console.WriteLine("Stopped. No desktop is left.");
            return;
        }

        Console.WriteLine($"Stopped. {left.Count} desktop{(left.Count == 1 ? " lives" : "s live")} on (./oriel down ends {(left.Count == 1 ? "it" : "them")}):");
        foreach (var desktop in left)
        {
            Console.WriteLine($"  {desktop.Id}  {desktop.Name}  {desktop.State.Name()}");
        }
    }
}
