# Replaces the OMS agent's output plugin of this name in a test. Like that plugin it buffers the record and takes the
# log type from the tag. It appends to a file what the plugin would post to the service, with the event's time.
require 'json'

module Fluent
  class StandInForOMSApi < BufferedOutput
    Plugin.register_output('out_oms_api', self)

    config_param :time_generated_field, :string, :default => ''

    def format(tag, time, record)
      [tag, time, record].to_msgpack
    end

    def write(chunk)
      lines = ''
      chunk.msgpack_each do |tag, time, record|
        post = { 'log_type' => tag.split('.')[2], 'time_generated_field' => @time_generated_field,
                 'event_time' => time, 'record' => record }
        lines << JSON.generate(post) << "\n"
      end
      # The file is in the agent's working directory.
      File.open('sent.jsonl', 'ab') { |file| file.write(lines) }
    end
  end
end
