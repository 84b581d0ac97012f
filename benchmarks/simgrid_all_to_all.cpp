// All-to-all of distinct sizes in SimGrid: the peer of benchmarks/completions.py.
// Arguments: platform file, flows file (src dst bytes a line), output file (finish time a line), SimGrid options.
// Prints the seconds of processor that it takes.
#include <cstdio>
#include <ctime>
#include <fstream>
#include <simgrid/s4u.hpp>
#include <string>
#include <vector>

namespace sg4 = simgrid::s4u;

int main(int argc, char** argv) {
  sg4::Engine engine(&argc, argv);
  engine.load_platform(argv[1]);
  struct Flow { int src, dst; double bytes; };
  std::vector<Flow> flows;
  std::ifstream in(argv[2]);
  for (Flow flow; in >> flow.src >> flow.dst >> flow.bytes;) flows.push_back(flow);
  std::vector<double> finish(flows.size());
  const auto host = [&](int number) { return engine.host_by_name("host-" + std::to_string(number)); };
  sg4::Actor::create("all", host(0), [&] {
    for (size_t number = 0; number < flows.size(); ++number) {
      const auto& flow = flows[number];
      sg4::Actor::create("f", host(flow.src), [&, number, flow] {
        sg4::Comm::sendto(host(flow.src), host(flow.dst), static_cast<uint64_t>(flow.bytes));
        finish[number] = sg4::Engine::get_clock();
      });
    }
  });
  const std::clock_t start = std::clock();
  engine.run();
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  std::ofstream out(argv[3]);
  out.precision(12);
  for (double value : finish) out << value << "\n";
  std::printf("%.6f\n", seconds);
}
