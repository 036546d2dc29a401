using System.Text.Json;
using System.Text.Json.Serialization;

namespace Oriel.Protocol.Keeper;

/// <summary><see cref="KeeperCommand"/> as JSON, its <c>type</c> first; by hand as <see cref="KeeperMessageConverter"/>.</summary>
internal sealed class KeeperCommandConverter : JsonConverter<KeeperCommand>
{
    public override KeeperCommand Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        using var document = JsonDocument.ParseValue(ref reader);
        var fields = new JsonFields(document.RootElement);
        var id = fields.Number("id");
        return fields.String("type") switch
        {
            "stop" => new StopGuest(id, fields.Int("deadlineMs", absent: 0)),
            "pause" => new PauseGuest(id),
            "resume" => new ResumeGuest(id),
            "save" => new SaveGuest(id),
            "fork" => new ForkGuest(id, fields.String("directory")),
            "counters" => new ReadCounters(id),
            _ => throw new JsonException("no command to a keeper"),
        };
    }

    public override void Write(Utf8JsonWriter writer, KeeperCommand value, JsonSerializerOptions options)
    {
        writer.WriteStartObject();
        writer.WriteString("type", TypeOf(value));
        writer.WriteNumber("id", value.Id);
        if (value is StopGuest stop)
        {
            writer.WriteNumber("deadlineMs", stop.DeadlineMs);
        }

        if (value is ForkGuest fork)
        {
            writer.WriteString("directory", fork.Directory);
        }

        writer.WriteEndObject();
    }

    private static string TypeOf(KeeperCommand command) =>
        command switch
        {
            StopGuest => "stop",
            PauseGuest => "pause",
            ResumeGuest => "resume",
            SaveGuest => "save",
            ForkGuest => "fork",
            ReadCounters => "counters",
            _ => throw new JsonException($"{command.GetType().Name} has no form"),
        };
}
