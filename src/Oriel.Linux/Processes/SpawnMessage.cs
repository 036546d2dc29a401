using System.Text;

namespace Oriel.Linux.Processes;

/// <summary>
/// What a parent tells the bootstrap of its child, through a memfd: so that neither the child's arguments nor its environment are in
/// effect before its credentials are.
/// </summary>
internal sealed record SpawnMessage(
    string Command,
    string[] Arguments,
    string[] Environment,
    string WorkingDirectory,
    uint Uid,
    uint Gid,
    uint[] Groups,
    int InheritedCount,
    bool ControllingTerminal,
    bool NoNewPrivileges
)
{
    public static SpawnMessage Of(SpawnSpec spec) =>
        new(
            spec.Command,
            [.. spec.Arguments],
            [.. spec.Environment.Select(pair => $"{pair.Key}={pair.Value}")],
            spec.WorkingDirectory,
            spec.Credentials.Uid,
            spec.Credentials.Gid,
            [.. spec.Credentials.Groups],
            spec.Inherited.Count,
            spec.ControllingTerminal,
            spec.NoNewPrivileges
        );

    public byte[] Encode()
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream, Encoding.UTF8);
        writer.Write(Command);
        WriteAll(writer, Arguments);
        WriteAll(writer, Environment);
        writer.Write(WorkingDirectory);
        writer.Write(Uid);
        writer.Write(Gid);
        writer.Write(Groups.Length);
        foreach (var group in Groups)
        {
            writer.Write(group);
        }

        writer.Write(InheritedCount);
        writer.Write(ControllingTerminal);
        writer.Write(NoNewPrivileges);
        writer.Flush();
        return stream.ToArray();
    }

    public static SpawnMessage Decode(byte[] bytes)
    {
        using var reader = new BinaryReader(new MemoryStream(bytes, writable: false), Encoding.UTF8);
        var command = reader.ReadString();
        var arguments = ReadAll(reader);
        var environment = ReadAll(reader);
        var directory = reader.ReadString();
        var uid = reader.ReadUInt32();
        var gid = reader.ReadUInt32();
        var groups = new uint[reader.ReadInt32()];
        for (var i = 0; i < groups.Length; i++)
        {
            groups[i] = reader.ReadUInt32();
        }

        return new SpawnMessage(
            command,
            arguments,
            environment,
            directory,
            uid,
            gid,
            groups,
            reader.ReadInt32(),
            reader.ReadBoolean(),
            reader.ReadBoolean()
        );
    }

    private static void WriteAll(BinaryWriter writer, string[] values)
    {
        writer.Write(values.Length);
        foreach (var value in values)
        {
            writer.Write(value);
        }
    }

    private static string[] ReadAll(BinaryReader reader)
    {
        var values = new string[reader.ReadInt32()];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = reader.ReadString();
        }

        return values;
    }
}
