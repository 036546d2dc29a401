using System.CommandLine;
using System.Text.Json;
using Oriel.Desktops.Node;
using Oriel.Server.Commands.CommandLine;
using Oriel.Server.Commands.Doctor;
using Oriel.Server.Configuration;
using Oriel.Server.Drivers;
using Spectre.Console;

namespace Oriel.Server.Commands;

/// <summary>
/// <c>oriel doctor</c>: tries what this machine offers and says how to mend what is missing. Exit code 1 when no desktop can be made.
/// </summary>
internal static class DoctorCommand
{
    public static Command Create()
    {
        var data = Values.Data();
        var json = new KindOption<bool>("--json", Kind.Flag) { Description = "The findings as JSON" };
        var port = new KindOption<int>("--port", Kind.Port)
        {
            Description = "HTTP port to try, 4000 unless given",
            DefaultValueFactory = _ => ServeOptions.DefaultPort,
        };
        var mediaPort = new KindOption<int>("--media-port", Kind.Port)
        {
            Description = "WebRTC's port to try, 4001 unless given",
            DefaultValueFactory = _ => ServeOptions.DefaultMediaPort,
        };
        var kvmProbe = new KindOption<bool>("--kvm-probe", Kind.Flag) { Hidden = true };
        var command = new Command("doctor", "Say what this machine offers, what is missing and how to mend it")
        {
            data,
            json,
            port,
            mediaPort,
            kvmProbe,
        };
        command.SetAction(
            async (parsed, cancellation) =>
            {
                if (parsed.GetValue(kvmProbe))
                {
                    return HostChecks.ProbeKvm();
                }

                var findings = await ExamineAsync(parsed.GetValue(data)!, parsed.GetValue(port), parsed.GetValue(mediaPort), cancellation);
                if (parsed.GetValue(json))
                {
                    WriteJson(findings, Console.OpenStandardOutput());
                }
                else
                {
                    Show(findings);
                }

                return findings.Any(finding => finding.Outcome == DoctorOutcome.Fail) ? 1 : 0;
            }
        );
        return command;
    }

    internal static async Task<IReadOnlyList<DoctorFinding>> ExamineAsync(
        string data,
        int port,
        int mediaPort,
        CancellationToken cancellationToken
    ) =>
        [
            HostChecks.Tools(DesktopDriver.Container, DoctorOutcome.Fail),
            HostChecks.Tools(DesktopDriver.Qemu("qemu-system-x86_64", kvm: false), DoctorOutcome.Warn),
            await NamespaceChecks.UserNamespacesAsync(cancellationToken),
            await NamespaceChecks.SubordinateIdsAsync(cancellationToken),
            await NamespaceChecks.MountsAsync(cancellationToken),
            await DataChecks.OverlayAsync(data, cancellationToken),
            await NamespaceChecks.NetworkAsync(cancellationToken),
            await NamespaceChecks.ProgramAsync("crun", DoctorOutcome.Fail, cancellationToken),
            await NamespaceChecks.ProgramAsync("mmdebstrap", DoctorOutcome.Warn, cancellationToken),
            await HostChecks.QemuAsync(cancellationToken),
            HostChecks.Cgroup(),
            HostChecks.Tun(),
            await HostChecks.KvmAsync(cancellationToken),
            await FirecrackerCheck.ExamineAsync(cancellationToken),
            DataChecks.Directory(data),
            DataChecks.Disk(data),
            HostChecks.Memory(),
            HostChecks.Inotify(),
            HostChecks.Port("HTTP port", port, udp: false),
            HostChecks.Port("media port", mediaPort, udp: true),
            DataChecks.Image(data),
            DataChecks.Fonts(data),
            await NamespaceChecks.ProgramAsync(
                "chromium",
                DoctorOutcome.Warn,
                cancellationToken,
                "only the tests need it: ./oriel test installs it"
            ),
        ];

    internal static void WriteJson(IReadOnlyList<DoctorFinding> findings, Stream output)
    {
        using var writer = new Utf8JsonWriter(output, new JsonWriterOptions { Indented = true });
        writer.WriteStartArray();
        foreach (var finding in findings)
        {
            writer.WriteStartObject();
            writer.WriteString("name", finding.Name);
            writer.WriteString("outcome", Word(finding.Outcome));
            writer.WriteString("seen", finding.Seen);
            writer.WriteString("mend", finding.Mend);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static void Show(IReadOnlyList<DoctorFinding> findings)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumns("", "What", "Seen", "How to mend");
        foreach (var finding in findings)
        {
            var colour = finding.Outcome switch
            {
                DoctorOutcome.Ok => "green",
                DoctorOutcome.Warn => "yellow",
                _ => "red",
            };
            table.AddRow(
                $"[{colour}]{Word(finding.Outcome)}[/]",
                Markup.Escape(finding.Name),
                Markup.Escape(finding.Seen),
                Markup.Escape(finding.Mend ?? "")
            );
        }

        AnsiConsole.Write(table);
    }

    private static string Word(DoctorOutcome outcome) =>
        outcome switch
        {
            DoctorOutcome.Ok => "ok",
            DoctorOutcome.Warn => "warn",
            _ => "fail",
        };
}
