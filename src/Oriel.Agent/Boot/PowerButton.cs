using System.Buffers.Binary;
using Oriel.Linux.Polling;

namespace Oriel.Agent.Boot;

/// <summary>
/// A machine's power button, by which its driver asks for an orderly end. Its events come from evdev (include/uapi/linux/input.h): 16 bytes
/// of time, then type, code and value. Guests without one have no such file.
/// </summary>
internal sealed class PowerButton(GuestEnding ending, GuestConsole console) : BackgroundService
{
    private const string Devices = "/dev/input";
    private const int EventBytes = 24;
    private const int TypeOffset = 16;
    private const ushort KeyType = 1;
    private const ushort PowerKey = 116;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!Directory.Exists(Devices) || Directory.EnumerateFiles(Devices, "event*").FirstOrDefault() is not { } device)
        {
            return;
        }

        try
        {
            using var events = AsyncDescriptor.OpenReader(device);
            var happened = new byte[EventBytes];
            while (await events.ReadAsync(happened, stoppingToken) == EventBytes)
            {
                if (IsPress(happened))
                {
                    console.Write("info", "agent", "the power button was pressed");
                    ending.Begin(deadlineMs: 0);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            console.Write("warn", "agent", $"{device}: {e.Message}");
        }
    }

    internal static bool IsPress(ReadOnlySpan<byte> happened) =>
        BinaryPrimitives.ReadUInt16LittleEndian(happened[TypeOffset..]) == KeyType
        && BinaryPrimitives.ReadUInt16LittleEndian(happened[(TypeOffset + 2)..]) == PowerKey
        && BinaryPrimitives.ReadInt32LittleEndian(happened[(TypeOffset + 4)..]) == 1;
}
