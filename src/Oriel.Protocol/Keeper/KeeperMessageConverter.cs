using System.Text.Json;
using System.Text.Json.Serialization;

namespace Oriel.Protocol.Keeper;

/// <summary>
/// <see cref="KeeperMessage"/> as JSON, its <c>type</c> first. By hand: as generated code the records and their enums add a quarter of a
/// megabyte to the keeper's executable, of which each desktop has one.
/// </summary>
internal sealed class KeeperMessageConverter : JsonConverter<KeeperMessage>
{
    private static readonly string[] StepStates = ["running", "done", "failed"];
    private static readonly string[] MachineStates = ["running", "paused", "halted", "saved"];

    public override KeeperMessage Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        using var document = JsonDocument.ParseValue(ref reader);
        var fields = new JsonFields(document.RootElement);
        return fields.String("type") switch
        {
            "step" => new KeeperStep(
                fields.Number("atUs"),
                fields.String("name"),
                (KeeperStepState)fields.OneOf("state", StepStates),
                fields.Number("elapsedUs", absent: 0),
                fields.OptionalString("detail")
            ),
            "running" => new GuestRunning(fields.Number("atUs")),
            "machine" => new MachineReport(fields.Number("atUs"), (MachineState)fields.OneOf("state", MachineStates)),
            "console" => new ConsoleLine(fields.Number("atUs"), fields.String("line")),
            "counters" => new KeeperCounters(fields.Number("atUs"), fields.Numbers("values")),
            "exited" => new KeeperExit(fields.Number("atUs"), fields.String("reason"), fields.OptionalString("detail")),
            "reply" => new KeeperReply(fields.Number("id"), fields.OptionalString("problem")),
            _ => throw new JsonException("no message of a keeper"),
        };
    }

    public override void Write(Utf8JsonWriter writer, KeeperMessage value, JsonSerializerOptions options)
    {
        writer.WriteStartObject();
        switch (value)
        {
            case KeeperStep step:
                WriteHead(writer, "step", step);
                writer.WriteString("name", step.Name);
                writer.WriteString("state", StepStates[(int)step.State]);
                writer.WriteNumber("elapsedUs", step.ElapsedUs);
                WriteOptional(writer, "detail", step.Detail);
                break;
            case GuestRunning running:
                WriteHead(writer, "running", running);
                break;
            case MachineReport machine:
                WriteHead(writer, "machine", machine);
                writer.WriteString("state", MachineStates[(int)machine.State]);
                break;
            case ConsoleLine console:
                WriteHead(writer, "console", console);
                writer.WriteString("line", console.Line);
                break;
            case KeeperCounters counters:
                WriteHead(writer, "counters", counters);
                WriteNumbers(writer, "values", counters.Values);
                break;
            case KeeperExit exited:
                WriteHead(writer, "exited", exited);
                writer.WriteString("reason", exited.Reason);
                WriteOptional(writer, "detail", exited.Detail);
                break;
            case KeeperReply reply:
                writer.WriteString("type", "reply");
                writer.WriteNumber("id", reply.Id);
                WriteOptional(writer, "problem", reply.Problem);
                break;
            default:
                throw new JsonException($"{value.GetType().Name} has no form");
        }

        writer.WriteEndObject();
    }

    private static void WriteHead(Utf8JsonWriter writer, string type, KeeperEvent happened)
    {
        writer.WriteString("type", type);
        writer.WriteNumber("atUs", happened.AtUs);
    }

    private static void WriteOptional(Utf8JsonWriter writer, string name, string? value)
    {
        if (value is not null)
        {
            writer.WriteString(name, value);
        }
    }

    private static void WriteNumbers(Utf8JsonWriter writer, string name, IReadOnlyDictionary<string, long> values)
    {
        writer.WriteStartObject(name);
        foreach (var (key, value) in values)
        {
            writer.WriteNumber(key, value);
        }

        writer.WriteEndObject();
    }
}
