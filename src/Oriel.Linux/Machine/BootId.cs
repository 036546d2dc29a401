namespace Oriel.Linux.Machine;

/// <summary>What the kernel made at its start and tells boots apart by (random(4)).</summary>
public static class BootId
{
    public const string Path = "/proc/sys/kernel/random/boot_id";

    public static string Read() => File.ReadAllText(Path).Trim();
}
