using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Net;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging.Console;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Templates;
using Oriel.Images.Store;
using Oriel.Linux.Processes;
using Oriel.Server.Commands.CommandLine;
using Oriel.Server.Composition;
using Oriel.Server.Configuration;
using Oriel.Server.Drivers;
using Oriel.Server.Instance;
using Spectre.Console;

namespace Oriel.Server.Commands;

/// <summary><c>oriel serve</c>: the server, until Ctrl-C or SIGTERM.</summary>
internal static class ServeCommand
{
    public const string Name = "serve";

    /// <summary>
    /// For a host that is itself emulated: how many times as long as on hardware a desktop's start may take. Not an option, as no machine
    /// that people work on needs it.
    /// </summary>
    private const string TimeScaleVariable = "ORIEL_TIME_SCALE";

    private static readonly Option<string> Data = Values.Data();
    private static readonly Option<IPAddress> Bind = new KindOption<IPAddress>("--bind", Kind.Ip)
    {
        Description = "Address to listen on, 127.0.0.1 unless given; anything but loopback means HTTPS",
        DefaultValueFactory = _ => IPAddress.Loopback,
    };
    private static readonly Option<int> Port = new KindOption<int>("--port", Kind.Port)
    {
        Description = "TCP port, 4000 unless given; 0 = any",
        DefaultValueFactory = _ => ServeOptions.DefaultPort,
    };
    private static readonly Option<int> MediaPort = new KindOption<int>("--media-port", Kind.Port)
    {
        Description = "UDP and TCP port of WebRTC, 4001 unless given; 0 = any",
        DefaultValueFactory = _ => ServeOptions.DefaultMediaPort,
    };
    private static readonly Option<string> Driver = new KindOption<string>("--driver", Kind.Driver)
    {
        Description = "auto (unless given: where KVM works firecracker, else qemu; else container), firecracker, qemu or container",
        DefaultValueFactory = _ => DriverChoice.Auto,
    };
    private static readonly Option<int> MaxDesktops = new KindOption<int>("--max-desktops", Kind.Int(1, 1000))
    {
        Description = "Most desktops at once, 8 unless given",
        DefaultValueFactory = _ => 8,
    };
    private static readonly Option<int> Warm = new KindOption<int>("--warm", Kind.Int(0, DesktopTemplate.MaxWarm))
    {
        Description = "How many desktops wait, booted, so that Connect takes no boot; each holds the memory of an idle one",
        DefaultValueFactory = _ => 0,
    };
    private static readonly Option<string> Cert = new KindOption<string>("--cert", Kind.File)
    {
        Description = "Certificate (PEM); default beyond loopback: a self-signed one",
    };
    private static readonly Option<string> Key = new KindOption<string>("--key", Kind.File) { Description = "Its private key (PEM)" };
    private static readonly Option<IReadOnlyList<IPAddress>> PublicAddress = new KindOptions<IPAddress>("--public-address", Kind.Ip)
    {
        Description = "Address that browsers reach this host at, for WebRTC; repeatable",
    };
    private static readonly Option<IReadOnlyList<string>> Host = new KindOptions<string>("--host", Kind.Text)
    {
        Description = "Further name that the server answers to; repeatable",
    };
    private static readonly Option<string> Web = new KindOption<string>("--web", Kind.Folder) { Description = "Folder of the built page" };
    private static readonly Option<string> Images = new KindOption<string>("--images", Kind.Directory)
    {
        Description = "Image store; default: images in the data directory",
    };
    private static readonly Option<string> Keeper = new KindOption<string>("--keeper", Kind.File)
    {
        Description = "The oriel-keeper program; default: beside this one",
    };
    private static readonly Option<IReadOnlyList<IPNetwork>> EgressAllow = new KindOptions<IPNetwork>("--egress-allow", Kind.Cidr)
    {
        Description = "Private network (CIDR) that desktops may reach; repeatable",
    };
    private static readonly Option<IReadOnlyList<IPNetwork>> EgressDeny = new KindOptions<IPNetwork>("--egress-deny", Kind.Cidr)
    {
        Description = "Network (CIDR) that no desktop may reach; repeatable",
    };
    private static readonly Option<IReadOnlyList<DnsEndPoint>> UpstreamAllow = new KindOptions<DnsEndPoint>(
        "--upstream-allow",
        Kind.Endpoint
    )
    {
        Description = "HOST:PORT of an upstream proxy that may be in a private network; repeatable",
    };
    private static readonly Option<IReadOnlyList<KeyValuePair<string, IPAddress>>> EgressHost = new KindOptions<
        KeyValuePair<string, IPAddress>
    >("--egress-host", Kind.Pair)
    {
        Description = "NAME=ADDRESS that desktops' names resolve to first; repeatable",
    };

    public static Command Create()
    {
        var command = new Command(Name, "Run the server")
        {
            Data,
            Bind,
            Port,
            MediaPort,
            Driver,
            MaxDesktops,
            Warm,
            Cert,
            Key,
            PublicAddress,
            Host,
            Web,
            Images,
            Keeper,
            EgressAllow,
            EgressDeny,
            UpstreamAllow,
            EgressHost,
        };
        command.Validators.Add(result =>
        {
            if (result.GetResult(Cert) is null != result.GetResult(Key) is null)
            {
                result.AddError("--cert and --key go together: give both or neither.");
            }

            if (
                PortOf(result, Port, ServeOptions.DefaultPort) is > 0 and var port
                && port == PortOf(result, MediaPort, ServeOptions.DefaultMediaPort)
            )
            {
                result.AddError($"--port and --media-port are both {port}: give each its own.");
            }
        });
        command.SetAction(
            async (parsed, cancellation) =>
            {
                if (Environment.IsPrivilegedProcess)
                {
                    return Refuse(
                        "The server never runs as root. Use ./oriel up, which makes and drops to the user oriel, or: setpriv --reuid oriel --regid oriel --init-groups oriel serve"
                    );
                }

                var options = Read(parsed);
                if (TimeScale() is not { } scale)
                {
                    return Refuse($"{TimeScaleVariable} must be a number from 1 to 100.");
                }

                var (driver, unfit) = await DriverChoice.ResolveAsync(
                    parsed.GetValue(Driver)!,
                    options.Keeper,
                    new ImageStore(options.Images),
                    cancellation
                );
                return driver is null
                    ? Refuse(unfit!)
                    : await RunAsync(options with { Driver = driver with { TimeScale = driver.TimeScale * scale } }, cancellation);
            }
        );
        return command;
    }

    /// <returns>Null where it is none, which is said elsewhere.</returns>
    private static int? PortOf(CommandResult result, Option<int> option, int otherwise) =>
        result.GetResult(option) is { Tokens: [var token] }
            ? int.TryParse(token.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var port)
                ? port
                : null
            : otherwise;

    private static double? TimeScale() =>
        Environment.GetEnvironmentVariable(TimeScaleVariable) switch
        {
            null or "" => 1,
            var text
                when double.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out var scale) && scale is >= 1 and <= 100 =>
                scale,
            _ => null,
        };

    private static int Refuse(string problem)
    {
        Console.Error.WriteLine("oriel: " + problem);
        return OrielCommands.Refused;
    }

    private static ServeOptions Read(ParseResult parsed) =>
        new()
        {
            DataDirectory = parsed.GetValue(Data)!,
            Bind = parsed.GetValue(Bind)!,
            Port = parsed.GetValue(Port),
            MediaPort = parsed.GetValue(MediaPort),
            MaxDesktops = parsed.GetValue(MaxDesktops),
            Warm = parsed.GetValue(Warm),
            Certificate = parsed.GetValue(Cert),
            CertificateKey = parsed.GetValue(Key),
            PublicAddresses = parsed.GetValue(PublicAddress)!,
            Hosts = parsed.GetValue(Host)!,
            WebRoot = parsed.GetValue(Web),
            ImagesDirectory = parsed.GetValue(Images),
            KeeperPath = parsed.GetValue(Keeper),
            EgressAllow = parsed.GetValue(EgressAllow)!,
            EgressDeny = parsed.GetValue(EgressDeny)!,
            UpstreamAllow = parsed.GetValue(UpstreamAllow)!,
            EgressHosts = new Dictionary<string, IPAddress>(parsed.GetValue(EgressHost)!),
        };

    private static async Task<int> RunAsync(ServeOptions options, CancellationToken cancellation)
    {
        Directory.CreateDirectory(options.DataDirectory, PrivateFile.OwnerOnlyDirectory);
        Directory.CreateDirectory(options.Layout.Run, PrivateFile.OwnerOnlyDirectory);
        using var held = ServerLock.TryTake(options.Layout);
        if (held is null)
        {
            var other = ServerInstance.Read(options.Layout);
            return Refuse(
                $"A server runs on {options.DataDirectory} already{(other is null ? "" : $": {other.Url} (process {other.Pid})")}."
            );
        }

        if (ListenCheck.Problem(options) is { } taken)
        {
            return Refuse(taken);
        }

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => Stop(signal, stop));
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => Stop(signal, stop));
        IReadOnlyList<DesktopView> left;
        try
        {
            await using var server = await ServerApplication.StartAsync(
                options,
                new ServerParts { Logging = AddConsole, SearchPath = Programs.SearchPath },
                stop.Token
            );
            new ServerInstance(Environment.ProcessId, server.Url, server.CertificateFingerprint).Write(options.Layout);
            await AnnounceAsync(server, stop.Token);
            ServiceManager.TellReady();
            await Task.Delay(Timeout.Infinite, stop.Token).ContinueWith(static _ => { }, TaskScheduler.Default);
            AnsiConsole.MarkupLine("[grey]Stopping…[/]");
            left = [.. server.Desktops.List(all: false).Select(d => d.View).Where(s => DesktopTransitions.Counts(s.State))];
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
            File.Delete(options.Layout.ServerFile);
        }

        TellWhatLivesOn(left);
        return 0;
    }

    private static void Stop(PosixSignalContext signal, CancellationTokenSource stop)
    {
        signal.Cancel = true;
        stop.Cancel();
    }

    private static void AddConsole(ILoggingBuilder logging) =>
        logging
            .AddSimpleConsole(console =>
            {
                console.SingleLine = true;
                console.TimestampFormat = "HH:mm:ss ";
                console.ColorBehavior = Console.IsOutputRedirected ? LoggerColorBehavior.Disabled : LoggerColorBehavior.Default;
            })
            .SetMinimumLevel(LogLevel.Information)
            .AddFilter("Microsoft", LogLevel.Warning)
            // It also logs what it throws, with the stack; here it is said in one line.
            .AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None);

    private static async Task AnnounceAsync(ServerApplication server, CancellationToken cancellationToken)
    {
        if (server.CertificateFingerprint is { } fingerprint)
        {
            Console.WriteLine($"Certificate (SHA-256): {fingerprint}");
        }

        // Plain, on a line of its own, so that scripts and terminals find it.
        var driver = server.Options.Driver;
        Console.WriteLine($"Desktops: {driver.Name}{(driver.Accelerator is { } by ? $" ({by})" : "")}");
        Console.WriteLine(
            $"Oriel is ready. Sign in (once, within 10 minutes):\n{server.Url}/signin#token={await server.NewSignInAsync(cancellationToken)}"
        );
    }

    private static void TellWhatLivesOn(IReadOnlyList<DesktopView> left)
    {
        if (left.Count == 0)
        {
            Console.WriteLine("Stopped. No desktop is left.");
            return;
        }

        Console.WriteLine(
            $"Stopped. {left.Count} desktop{(left.Count == 1 ? " lives" : "s live")} on (./oriel down ends {(left.Count == 1 ? "it" : "them")}):"
        );
        foreach (var desktop in left)
        {
            Console.WriteLine($"  {desktop.Id}  {desktop.Name}  {desktop.State.Name()}");
        }
    }
}
